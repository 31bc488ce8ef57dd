package health

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDatagram(t *testing.T) {
	ack := []byte{0x1a, 0x08, 0, 16, 0x6b, 4, 0xc3, 6, 0x6b, 4, 0xc3, 5, 0x6b, 4, 0xc3, 5}
	hello := []byte{0x1a, 0x30, 0, 8, 0x6b, 4, 0xc3, 3}
	helloBack := []byte{0x1a, 0x68, 0, 16, 0x6b, 4, 0xc3, 3, 0x6b, 4, 0xc3, 3, 0x6b, 4, 0xc3, 3}
	state := append([]byte{0x10, 0, 0, 20, 0, 0, 0, 9}, make([]byte, 12)...)
	tests := []struct {
		name    string
		payload []byte
		want    []header
		err     bool
	}{
		{"nothing", nil, nil, false},
		{"acknowledgement", ack, []header{{1, 10, flagACK, 16, 0x6b04c306}}, false},
		{"first word", hello, []header{{1, 10, flagAlive | flagHello, 8, 0x6b04c303}}, false},
		{"answer", helloBack, []header{{1, 10, flagACK | flagHello | flagHelloBack, 16, 0x6b04c303}}, false},
		{"packed", slices.Concat(state, ack), []header{{1, 0, 0, 20, 9}, {1, 10, flagACK, 16, 0x6b04c306}}, false},
		{"cut off", slices.Concat(state, ack[:10]), []header{{1, 0, 0, 20, 9}}, true},
		{"length zero", []byte{0x1a, 8, 0, 0, 0, 0, 0, 1}, nil, true},
		{"other version", []byte{0x2a, 8, 0, 8, 0, 0, 0, 1}, nil, true},
		{"text", []byte(strings.Repeat("hello ", 3)), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseDatagram(tt.payload)
			if errors.Is(err, errMessage) != tt.err {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
		})
	}
}
