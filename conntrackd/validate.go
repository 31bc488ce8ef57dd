package conntrackd

import (
	"fmt"
	"net/netip"

	"connsync/conntrackd/typed"
)

func (s Settings) interfaceProblem() string {
	switch {
	case s.Interface == "" && !s.Enabled:
		return ""
	case s.Interface == "lo":
		return `"lo" is the loopback interface, which reaches no peer; type the sync interface, such as eth1`
	}
	return interfaceProblem(s.Interface)
}

func (s Settings) bufferProblem(n int, which string) string {
	if n != 0 {
		return typed.BufferSizeProblem(n)
	}
	if s.Enabled {
		return fmt.Sprintf("no %s buffer size is given; %s", which, typed.WantBufferSize)
	}
	return ""
}

func (s Settings) addressProblem(p netip.Prefix, what string, example int) string {
	a := p.Addr()
	switch {
	case !a.IsValid() && s.Enabled:
		return fmt.Sprintf("%s is not given; type it with its prefix length, such as 10.0.0.%d/24", what, example)
	case !a.IsValid():
		return ""
	}
	return typed.AddressProblem(p, s.Enabled)
}
