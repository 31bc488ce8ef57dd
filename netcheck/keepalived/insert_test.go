package keepalived

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInsert(t *testing.T) {
	hook := []string{`notify_master "/x failover primary" root`, `notify_backup "/x failover backup" root`}
	for name, test := range map[string]struct {
		file, want string
		at         []int
		front      string
		refused    string
	}{
		"indented as its neighbours": {
			file: "# ours\nvrrp_sync_group VG {\n    group {\n        LAN\n    }\n}\n\n! end",
			want: "# ours\nvrrp_sync_group VG {\n    group {\n        LAN\n    }\n    notify_master \"/x failover primary\" root\n    notify_backup \"/x failover backup\" root\n}\n\n! end",
			at:   []int{2},
		},
		"several blocks, braces on lines of their own": {
			file: "vrrp_instance A\n{\n\tstate BACKUP # }\n\tvirtual_ipaddress { 10.0.0.1 }\n}\nvrrp_instance B {\n\tstate BACKUP\n}\n",
			want: "vrrp_instance A\n{\n\tstate BACKUP # }\n\tvirtual_ipaddress { 10.0.0.1 }\n\tnotify_master \"/x failover primary\" root\n\tnotify_backup \"/x failover backup\" root\n}\nvrrp_instance B {\n\tstate BACKUP\n\tnotify_master \"/x failover primary\" root\n\tnotify_backup \"/x failover backup\" root\n}\n",
			at:   []int{1, 6},
		},
		"line ends": {
			file: "vrrp_instance A {\r\n  state BACKUP\r\n}",
			want: "vrrp_instance A {\r\n  state BACKUP\r\n  notify_master \"/x failover primary\" root\r\n  notify_backup \"/x failover backup\" root\r\n}",
			at:   []int{1},
		},
		"in front": {
			file: "vrrp_instance A {\r\n  state BACKUP\r\n}\r\n",
			want: "! new\r\nvrrp_instance A {\r\n  state BACKUP\r\n  notify_master \"/x failover primary\" root\r\n  notify_backup \"/x failover backup\" root\r\n}\r\n",
			at:   []int{1}, front: "! new",
		},
		"one line":     {file: "vrrp_instance A { state BACKUP }\n", at: []int{1}, refused: "line 1: the brace that ends"},
		"no end":       {file: "vrrp_instance A {\nstate BACKUP\n", at: []int{1}, refused: "line 1: the block has no end"},
		"include":      {file: "include x.conf\nvrrp_instance A {\n}\n", at: []int{2}, refused: "line 1: it includes other files"},
		"condition":    {file: "vrrp_instance A {\n@fw-a priority 100\n}\n", at: []int{1}, refused: "line 2: it applies under a condition"},
		"parameter":    {file: "$X=1\nvrrp_instance A {\n}\n", at: []int{2}, refused: "line 1: it has a parameter"},
		"continuation": {file: "vrrp_instance A {\nstate \\\nBACKUP\n}\n", at: []int{1}, refused: "line 2: it goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			var additions []Addition
			for _, line := range test.at {
				additions = append(additions, Addition{line, hook})
			}
			if test.front != "" {
				additions = append(additions, Addition{Lines: []string{test.front}})
			}
			got, err := Insert([]byte(test.file), additions)
			if test.refused != "" {
				if !errors.As(err, new(*NotUnderstoodError)) || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("error %v, want %q", err, test.refused)
				}
				return
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}
