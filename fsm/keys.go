package fsm

import (
	"encoding/binary"
	"strconv"
)

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func execKey(appSeq uint64, id int) []byte {
	return binary.BigEndian.AppendUint32(seqKey(appSeq), uint32(id))
}

// workerExecPrefix ends in a NUL, which no worker id may hold, so no id is the prefix of another one's keys.
func workerExecPrefix(workerID string) []byte { return append([]byte(workerID), 0) }

func workerExecKey(e *Executor) []byte {
	return append(workerExecPrefix(e.WorkerID), execKey(e.AppSeq, e.ID)...)
}

// driverAppPrefix ends in a NUL likewise.
func driverAppPrefix(driverID string) []byte { return append([]byte(driverID), 0) }

func driverAppKey(a *App) []byte { return append(driverAppPrefix(a.DriverID), seqKey(a.Seq)...) }

func addressKey(host string, port int) []byte {
	return []byte(host + ":" + strconv.Itoa(port))
}
