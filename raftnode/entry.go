package raftnode

import (
	"encoding/binary"
	"fmt"
)

// entryFormat is the first byte of every log entry of ours. Numbers are for ever: a new layout takes a new one.
const entryFormat = 1

// encodeEntry frames commands as one log entry: the format byte, then each command as its length (uvarint) and its bytes.
func encodeEntry(cmds [][]byte) []byte {
	size := 1
	for _, cmd := range cmds {
		size += binary.MaxVarintLen32 + len(cmd)
	}
	entry := make([]byte, 1, size)
	entry[0] = entryFormat
	for _, cmd := range cmds {
		entry = binary.AppendUvarint(entry, uint64(len(cmd)))
		entry = append(entry, cmd...)
	}
	return entry
}

// decodeEntry is the inverse of encodeEntry. The commands share the entry's memory.
func decodeEntry(entry []byte) ([][]byte, error) {
	if len(entry) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrBadEntry)
	}
	if entry[0] != entryFormat {
		return nil, fmt.Errorf("%w: format %d is unknown to this release, which writes %d", ErrBadEntry, entry[0], entryFormat)
	}
	var cmds [][]byte
	for rest := entry[1:]; len(rest) > 0; {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return nil, fmt.Errorf("%w: command %d runs past its end (%d bytes)", ErrBadEntry, len(cmds), len(entry))
		}
		end := n + int(size)
		cmds = append(cmds, rest[n:end:end])
		rest = rest[end:]
	}
	return cmds, nil
}
