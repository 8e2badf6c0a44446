package proc

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// The ports given out lie below the range from which Linux takes ports for outgoing connections (32768 and up): while
// a process is dead, nothing takes its port by chance.
const (
	lowestPort  = 18000
	highestPort = 32000
)

// Ports finds n ports that are free on 127.0.0.1, for TCP and UDP.
func Ports(n int) ([]int, error) {
	var ports []int
	var held []interface{ Close() error } // until all are found, so that none is found twice
	defer func() {
		for _, h := range held {
			h.Close()
		}
	}()
	for range 2000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		tcp, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		held = append(held, tcp)
		udp, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			continue
		}
		held = append(held, udp)
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, fmt.Errorf("find %d free ports on 127.0.0.1 between %d and %d: %w", n, lowestPort, highestPort, errors.New("too many are taken"))
}
