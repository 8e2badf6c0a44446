package config

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
)

// LocalHost gives the name this machine advertises when none was set, by the
// rules of Spark's Utils.localHostName: SPARK_LOCAL_HOSTNAME, else
// SPARK_LOCAL_IP, else the address the host name resolves to, else, if that is
// a loopback address, the first other address of an interface (IPv4 preferred).
// IPv6 addresses come in brackets.
func LocalHost(env Env) string {
	if name := env.Get("SPARK_LOCAL_HOSTNAME"); name != "" {
		return bracket(name)
	}
	if ip := env.Get("SPARK_LOCAL_IP"); ip != "" {
		return bracket(ip)
	}
	return bracket(findLocalAddress())
}

// PublicHost gives the host shown in UI links: SPARK_PUBLIC_DNS, else host.
func PublicHost(env Env, host string) string {
	if dns := env.Get("SPARK_PUBLIC_DNS"); dns != "" {
		return dns
	}
	return host
}

func findLocalAddress() string {
	if name, err := os.Hostname(); err == nil {
		if addrs, err := net.LookupIP(name); err == nil {
			if ip := pickAddress(addrs); ip != nil {
				return ip.String()
			}
		}
	}
	var all []net.IP
	if addrs, err := net.InterfaceAddrs(); err == nil {
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				all = append(all, n.IP)
			}
		}
	}
	if ip := pickAddress(all); ip != nil {
		return ip.String()
	}
	return "127.0.0.1"
}

// pickAddress chooses the first address other machines may reach, IPv4 first.
func pickAddress(addrs []net.IP) net.IP {
	usable := slices.DeleteFunc(slices.Clone(addrs), func(ip net.IP) bool {
		return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified()
	})
	for _, ip := range usable {
		if ip.To4() != nil {
			return ip
		}
	}
	if len(usable) > 0 {
		return usable[0]
	}
	return nil
}

func bracket(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}

// checkHost refuses what cannot be advertised: Spark's Utils.checkHost wants a
// bare name or an IPv6 address in brackets, never host:port.
func checkHost(source, host string) error {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		if ip := net.ParseIP(inner); ok && ip != nil && ip.To4() == nil {
			return nil
		}
	} else if host != "" && !strings.ContainsAny(host, ":/ \t@") {
		return nil
	}
	return fmt.Errorf("%s: expected a host name or an IPv6 address in brackets, without a port, but got %q: %w", source, host, ErrInvalid)
}
