package membership

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
)

// KeySize is the length of a gossip key in bytes (AES-256).
const KeySize = 32

var (
	// ErrKeyRequired says that gossip would be open to everybody on the network.
	ErrKeyRequired = errors.New("gossip on anything but loopback needs a key: make one with `clusterd keygen` and give its file to every member as --gossip-key-file")
	// ErrKeyFile says that a key file cannot be used.
	ErrKeyFile = errors.New("bad gossip key file")
)

// GenerateKey returns a new random key as the text of a key file, without the newline.
func GenerateKey() string {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

// ParseKey reads the text of a key file.
func ParseKey(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	key := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(key, text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64; make one with `clusterd keygen`", ErrKeyFile)
	}
	if n != KeySize {
		return nil, fmt.Errorf("%w: it holds %d bytes, not %d; make one with `clusterd keygen`", ErrKeyFile, n, KeySize)
	}
	return key[:n], nil
}

// LoadKeyFile reads a key file: one line of base64. A file that others than its owner may touch is refused.
func LoadKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a plain file", ErrKeyFile, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("%w: %s has mode %04o, so others can use the key; chmod 600 it", ErrKeyFile, path, mode)
	}
	if info.Size() > 4096 {
		return nil, fmt.Errorf("%w: %s is %d bytes long", ErrKeyFile, path, info.Size())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}
