package raftnode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
)

// Records in the log file carry a CRC-32C each: bbolt checks none of its pages but the two that say where to begin. An entry
// has it in Extensions, which raft leaves to those who store; a value of the stable store has it behind the value, under a
// key of its own kind, so that a value without one is not taken for one with.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	sealBytes   = 4
	sealMark    = 1      // first byte of Extensions; what would follow another one is unknown
	sealedStart = "crc:" // of keys of the stable store
)

// legacyKeys are those that raft uses: releases before checksums stored them as they are.
var legacyKeys = map[string]bool{"CurrentTerm": true, "LastVoteTerm": true, "LastVoteCand": true}

func entrySum(e *raft.Log) uint32 {
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], e.Index)
	binary.BigEndian.PutUint64(head[8:], e.Term)
	head[16] = byte(e.Type)
	return crc32.Update(crc32.Checksum(head[:], castagnoli), castagnoli, e.Data)
}

// seal gives a copy of the entry with its checksum. Raft's own must not change: it is sent to others, who make theirs.
func seal(e *raft.Log) *raft.Log {
	sealed := *e
	sealed.Extensions = binary.BigEndian.AppendUint32([]byte{sealMark}, entrySum(e))
	return &sealed
}

// unseal checks an entry that was read at index, and gives it the form that raft stored.
func unseal(index uint64, e *raft.Log) error {
	if e.Index != index {
		return fmt.Errorf("entry %d says that it is %d", index, e.Index)
	}
	if len(e.Extensions) == 0 {
		return nil // of a release before checksums
	}
	if len(e.Extensions) != 1+sealBytes || e.Extensions[0] != sealMark || binary.BigEndian.Uint32(e.Extensions[1:]) != entrySum(e) {
		return fmt.Errorf("the checksum of entry %d is wrong", index)
	}
	e.Extensions = nil
	return nil
}

func sealedKey(key []byte) []byte { return append([]byte(sealedStart), key...) }

func valueSum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

func sealValue(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(bytes.Clone(value), valueSum(key, value))
}

func unsealValue(key, stored []byte) (value []byte, ok bool) {
	at := len(stored) - sealBytes
	if at < 0 || binary.BigEndian.Uint32(stored[at:]) != valueSum(key, stored[:at]) {
		return nil, false
	}
	return stored[:at], true
}

func uint64Bytes(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func uint64From(b []byte) (v uint64, ok bool) {
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}
