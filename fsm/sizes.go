package fsm

// RecordSize is how much of a snapshot one kind of record is.
type RecordSize struct {
	Records string // what they are
	Count   int
	Bytes   int64 // without the frames around them
}

// Sizes tells what a snapshot of the state is made of, in the order of its records. It costs as much as writing it.
func (s *State) Sizes() []RecordSize {
	var out []RecordSize
	_ = s.records(func(kind byte, record any) error {
		name := recordNames[kind]
		if len(out) == 0 || out[len(out)-1].Records != name {
			out = append(out, RecordSize{Records: name})
		}
		last := &out[len(out)-1]
		last.Count++
		last.Bytes += int64(len(marshal(record)))
		return nil
	})
	return out
}

var recordNames = map[byte]string{
	recordHeader: "header", recordWorker: "workers", recordApp: "apps", recordExecutor: "executors", recordDriver: "drivers",
	recordCompletedApp: "completed apps", recordCompletedDriver: "completed drivers", recordRequest: "requests", recordDriverKey: "driver keys", recordStaged: "a restore that has begun",
}
