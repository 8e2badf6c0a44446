package fsm

import (
	"errors"
	"fmt"
)

// Code says why a command was refused.
type Code uint8

const (
	// CodeOK: not refused.
	CodeOK Code = iota
	// CodeAddressTaken: another worker that is not dead holds this host and port.
	CodeAddressTaken
	// CodeUnknownWorker: no such worker, or not in this life of it.
	CodeUnknownWorker
	// CodeUnknownApp: no such live application.
	CodeUnknownApp
	// CodeUnknownExecutor: the application has no such live executor.
	CodeUnknownExecutor
	// CodeUnknownDriver: no such live driver.
	CodeUnknownDriver
	// CodeInvalid: the command asks for something that can never be.
	CodeInvalid
)

// Refusal is an answer of the state machine: the command was understood, and not carried out.
type Refusal struct {
	Code    Code
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// RefusalCode is the code of a refusal in err's chain, CodeOK where there is none.
func RefusalCode(err error) Code {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return CodeOK
}

// envelope is the encoded result of a command.
type envelope struct {
	Code    Code   `cbor:"1,keyasint,omitempty"`
	Message string `cbor:"2,keyasint,omitempty"`
	Body    []byte `cbor:"3,keyasint,omitempty"`
}

// DecodeResult brings back what Apply answered: nil and *out filled, or a *Refusal. out may be nil.
func DecodeResult(b []byte, out any) error {
	if len(b) == 0 {
		return nil
	}
	var e envelope
	if err := unmarshal(b, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if e.Code != CodeOK {
		return &Refusal{Code: e.Code, Message: e.Message}
	}
	if out == nil || len(e.Body) == 0 {
		return nil
	}
	if err := unmarshal(e.Body, out); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

func encodeResult(body any, refusal *Refusal) []byte {
	switch {
	case refusal != nil:
		return marshal(envelope{Code: refusal.Code, Message: refusal.Message})
	case body != nil:
		return marshal(envelope{Body: marshal(body)})
	}
	return nil
}

// WorkerRegistered answers RegisterWorker.
type WorkerRegistered struct {
	Duplicate bool `cbor:"1,keyasint,omitempty"` // this life of the worker was registered already
}

// ExecutorKey names an executor.
type ExecutorKey struct {
	AppID string `cbor:"1,keyasint"`
	ID    int    `cbor:"2,keyasint"`
}

// WorkerReconciled answers WorkerReport: what the worker runs and should not.
type WorkerReconciled struct {
	Kill        []ExecutorKey `cbor:"1,keyasint,omitempty"`
	KillDrivers []string      `cbor:"2,keyasint,omitempty"`
}

// AppRegistered answers RegisterApplication.
type AppRegistered struct {
	AppID     string `cbor:"1,keyasint"`
	Duplicate bool   `cbor:"2,keyasint,omitempty"`
}

// PlanApplied answers ApplyPlan.
type PlanApplied struct {
	Started int `cbor:"1,keyasint,omitempty"`
	Refused int `cbor:"2,keyasint,omitempty"` // lines that no longer fitted
}

// DriverSubmittedResult answers SubmitDriver.
type DriverSubmittedResult struct {
	DriverID  string `cbor:"1,keyasint"`
	Duplicate bool   `cbor:"2,keyasint,omitempty"` // the key was known: this is the driver of an earlier submission
}

// DriverKillResult answers KillDriver.
type DriverKillResult struct {
	WasWaiting bool `cbor:"1,keyasint,omitempty"`
}
