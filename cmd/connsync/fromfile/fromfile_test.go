package fromfile

import (
	"bytes"
	"connsync/conntrackd"
	"maps"
	"slices"
	"strings"
	"testing"
)

func FuzzFrom(f *testing.F) {
	for _, seed := range []string{
		`{"spare_links": [{"interface": "eth2", "port": 1}, 2, [3]]}`, "spare_links:\n- interface: eth2\n  port: 3\n- x\n",
		`{"enabled": null, "port": 3780}`, "port: 3780\ninterface: eth1\n", "a: &x [1]\nb: *x\n", "<<: {}\n", "---\n...\n", "? a\n: b\n", "{", "\xef\xbb\xbf{}", `{"a":1}{`,
		"spare_links: [[a]]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := parse(content)
		if err != nil {
			if line, _, ok := strings.Cut(err.Error(), ": "); !ok || strings.Trim(line, "0123456789") != "" || line == "" {
				t.Errorf("error without a line: %v", err)
			}
			return
		}
		lines := bytes.Count(content, []byte("\n")) + bytes.Count(content, []byte("\r")) + bytes.Count(content, []byte("\u0085")) +
			bytes.Count(content, []byte("\u2028")) + bytes.Count(content, []byte("\u2029")) + 1
		for _, e := range list {
			if e.line < 1 || e.line > lines {
				t.Errorf("%s is on line %d of %d", e.name, e.line, lines)
			}
		}
		new(File).take(conntrackd.NewSettingTable(), list)
	})
}

// A role follows from external_cache: it informs where both agree, and is refused where it
// would be overlooked.
func TestRoleInAFile(t *testing.T) {
	for content, want := range map[string]string{
		"role: primary-backup\nexternal_cache: true\n": "",
		"external_cache: false\nrole: both-active\n":   "",
		"external_cache: true\nrole: both-active\n":    "role both-active needs external_cache: false beside it",
		"port: 3780\nrole: primary-backup\n":           "role primary-backup needs external_cache: true beside it",
		"external_cache: true\nrole: hot-standby\n":    `role "hot-standby" is invalid: it must be primary-backup or both-active`,
	} {
		list, err := parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range new(File).take(conntrackd.NewSettingTable(), list) {
			got += p.Message
		}
		if got != want {
			t.Errorf("%q: %q, want %q", content, got, want)
		}
	}
}

// Lists, choices and optional numbers are read in JSON and YAML alike; null keeps what is
// saved, and the word for the default is a value.
func TestAdvancedSettingsInAFile(t *testing.T) {
	for content, want := range map[string]string{
		"protocols: [tcp, udp]\nmode: notrack\n":            "mode=notrack protocols=tcp,udp",
		`{"protocols": ["tcp"], "checksum": false}`:         "checksum=false protocols=tcp",
		"protocols: default\nhash_size: default\n":          "hash_size=default protocols=default",
		"protocols: null\npoll_secs: null\n":                "poll_secs=keep",
		"poll_secs: 0\n":                                    "poll_secs=0",
		"protocols: [1]\n":                                  "protocols must be a list of texts alone",
		"protocols: 1\n":                                    "protocols must be a list of texts; it is a whole number",
		"mode: true\n":                                      "mode must be one of ftfw, notrack, alarm; it is true or false",
		"hash_size: many\n":                                 "hash_size must be a whole number without quotes, such as 65536; it is text",
		"ignore_addresses:\n  - 192.0.2.1\n  - 2001:db8::1": "ignore_addresses=192.0.2.1,2001:db8::1",
	} {
		list, err := parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		table, f := conntrackd.NewSettingTable(), new(File)
		problems := f.take(table, list)
		v, more := f.Over(table, conntrackd.Values{conntrackd.FieldPollSecs: "keep"}, func(conntrackd.Field) bool { return false })
		if !strings.Contains(content, "poll_secs") {
			delete(v, conntrackd.FieldPollSecs)
		}
		var got []string
		for _, p := range append(problems, more...) {
			got = append(got, p.Message)
		}
		if got == nil {
			for _, field := range slices.Sorted(maps.Keys(v)) {
				got = append(got, string(field)+"="+v[field])
			}
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%q: %q, want %q", content, text, want)
		}
	}
}

// Spare links are a list of tables, with the names and the types of the settings.
func TestLinksInAFile(t *testing.T) {
	const eth2 = `{"interface": "eth2", "current_ip": "10.1.0.1/24", "peer_ip": "10.1.0.2/24"`
	for content, want := range map[string]string{
		`{"spare_links": []}`:              "none",
		`{"spare_links": [` + eth2 + `}]}`: "eth2 10.1.0.1/24 10.1.0.2/24 - -",
		`{"spare_links": [` + eth2 + `, "port": 3781, "send_buffer": "128K", "receive_buffer": 0}, ` + eth2 + `, "receive_buffer": 65536}]}`: "eth2 10.1.0.1/24 10.1.0.2/24 3781 128K system, eth2 10.1.0.1/24 10.1.0.2/24 - - 65536",
		"spare_links:\n- interface: eth2\n  current_ip: fd00::1/64\n  peer_ip: fd00::2/64\n  port: 3781\n":                                   "eth2 fd00::1/64 fd00::2/64 3781 -",
		`{"spare_links": "eth2"}`:                                 "! spare_links must be a list of links; it is text",
		`{"spare_links": ["eth2"]}`:                               "! spare_links, link 1: write it as names and values: interface, current_ip, peer_ip and perhaps port, send_buffer, receive_buffer",
		`{"spare_links": [` + eth2 + `}, {"interface": "eth3"}]}`: "! spare_links, link 2: current_ip is missing",
		`{"spare_links": [` + eth2 + `, "mtu": 1500}]}`:           `! spare_links, link 1: unknown name "mtu"`,
		`{"spare_links": [` + eth2 + `, "port": "3781"}]}`:        "! spare_links, link 1: port must be a whole number without quotes, such as 3780; it is text",
		`{"spare_links": [` + eth2 + `, "interface": "eth3"}]}`:   "! spare_links, link 1: interface is a duplicate; keep one",
		`{"spare_links": [{"interface": "eth2, none"}]}`:          "! spare_links, link 1: interface must be one word",
		`{"spare_links": [{"interface": ""}]}`:                    "! spare_links, link 1: interface must be one word",
	} {
		list, err := parse([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		var f File
		got := ""
		for _, p := range f.take(conntrackd.NewSettingTable(), list) {
			got += "! " + p.Message
		}
		if got == "" {
			got = f.values[conntrackd.FieldSpareLinks].text
		}
		if got != want {
			t.Errorf("%s: %q, want %q", content, got, want)
		}
	}
}
