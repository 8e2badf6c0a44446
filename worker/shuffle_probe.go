package worker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"
)

// portHolder is who listens on the shuffle service's port.
type portHolder int

const (
	nobody portHolder = iota
	aShuffleService
	somethingElse
)

// probeTime bounds a question to a shuffle service. A JVM that collects garbage is given some time.
const probeTime = 5 * time.Second

// askShuffleService finds out who listens on the port of this machine. It asks for the directories of no executors of no
// application (GetLocalDirsForExecutors), which a shuffle service answers with none of them, and nothing else does.
func askShuffleService(ctx context.Context, host string, port int) (portHolder, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nobody, nil
	}
	if err != nil {
		return somethingElse, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(localDirsRequest()); err != nil {
		return somethingElse, err
	}
	return readShuffleAnswer(conn)
}

// Types of org.apache.spark.network.protocol.Message and of BlockTransferMessage.
const (
	frameRequest, frameResponse, frameFailure = 3, 4, 5
	getLocalDirs, localDirs                   = 10, 11
	frameHead                                 = 8 + 1 + 8 + 4 // length, type, request id, length of the body
	probeID                                   = 1
	mostAnswer                                = 1 << 20
)

func localDirsRequest() []byte {
	body := []byte{getLocalDirs, 0, 0, 0, 0, 0, 0, 0, 0} // an empty application id, and no executors
	b := binary.BigEndian.AppendUint64(nil, uint64(frameHead+len(body)))
	b = append(b, frameRequest)
	b = binary.BigEndian.AppendUint64(b, probeID)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

func readShuffleAnswer(r io.Reader) (portHolder, error) {
	head := make([]byte, frameHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return somethingElse, fmt.Errorf("read its answer: %w", err)
	}
	length := binary.BigEndian.Uint64(head)
	if id := binary.BigEndian.Uint64(head[9:]); id != probeID || length < frameHead || length > mostAnswer {
		return somethingElse, nil
	}
	body := make([]byte, length-frameHead)
	if _, err := io.ReadFull(r, body); err != nil {
		return somethingElse, fmt.Errorf("read its answer: %w", err)
	}
	switch head[8] {
	case frameResponse:
		if len(body) > 0 && body[0] == localDirs {
			return aShuffleService, nil
		}
	case frameFailure:
		// One that wants authentication does not answer before (SaslRpcHandler, AuthRpcHandler).
		if text := bytes.ToLower(body); bytes.Contains(text, []byte("sasl")) || bytes.Contains(text, []byte("auth")) {
			return aShuffleService, nil
		}
	}
	return somethingElse, nil
}
