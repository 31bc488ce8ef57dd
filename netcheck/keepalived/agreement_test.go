package keepalived

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"connsync/lab"
)

// instance is a vrrp_instance of the lab's with more in it.
func instance(more string) string {
	return "vrrp_instance V1 {\n\tinterface eth0\n\tvirtual_router_id 5\n" + more + "\n}\n"
}

// Every file here is read as the real keepalived reads it: the virtual
// addresses and the scripts of what it dumps are those of Load. A program of /bin
// stands for where it really is: keepalived 2.3 drops one below a linked directory,
// as /bin is.
func TestAgreesWithKeepalived(t *testing.T) {
	installed, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	programs := strings.NewReplacer("/bin/true", unlinked(t, "true"), "/bin/echo", unlinked(t, "echo"))
	for name, files := range map[string]map[string]string{
		"plain":              {"": instance("virtual_ipaddress {\n10.9.9.9/32 dev eth0 label eth0:1\n10.9.9.10\n}\nnotify_master \"/bin/true a b\" root\nnotify_fault /bin/true")},
		"glued braces":       {"": "vrrp_instance V1{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress{\n10.9.9.9/32\n}\n}\n"},
		"braces below":       {"": "vrrp_instance V1\n{\ninterface eth0\nvirtual_router_id 5\nvirtual_ipaddress\n{\n10.9.9.9/32\n}\n}\n"},
		"one line":           {"": "vrrp_instance V1 { interface eth0\nvirtual_router_id 5\nvirtual_ipaddress { 10.9.9.9/32\n10.9.9.8/32 }\n}\n"},
		"comments":           {"": instance("virtual_ipaddress { # one\n10.9.9.7/32!two\n10.9.9.8/32#three\n!10.9.9.9\n}\nnotify_fault /bin/true\\#not")},
		"quotes":             {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify \"/bin/echo 'a b' c\" root\nnotify_master '/bin/true'")},
		"escapes":            {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_master \"/bin/true a\\\\ b 'c''d' \\\"e f\\\" g\\th \\x41\\101\" root root\nnotify_backup \"/bin/true failover backup root\"\nnotify_fault '/bin/true \"a b\" #c'")},
		"escapes outside":    {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_fault \\/bin/true root\nnotify_backup \"/bin/true a\"\\ b")},
		"an open quote":      {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_master \"/bin/true a\nnotify_backup \"/bin/true b\"")},
		"the first counts":   {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_master \"/bin/true a\"\nnotify_master \"/bin/true b\"")},
		"excluded, IPv6":     {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nvirtual_ipaddress_excluded {\n2001:db8::7/64 dev eth0\n10.9.9.8\n}")},
		"parameters":         {"": "$NET=10.9.${THIRD}\n$THIRD=9\n$VIP=${NET}.9/32\n" + instance("virtual_ipaddress {\n$VIP\n${NET}.10\n}")},
		"a parameter lines":  {"": "$VIPS= \\\n10.9.9.11/32 \\\n10.9.9.12/32\n" + instance("virtual_ipaddress {\n$VIPS\n}")},
		"a whole instance":   {"": "$INSTANCE= \\\nvrrp_instance V${N} { \\\ninterface eth0 \\\nvirtual_router_id $N \\\nvirtual_ipaddress { \\\n10.9.9.${N}/32 \\\n} \\\n}\n$N=5\n$INSTANCE\n$N=6\n$INSTANCE\n"},
		"conditions":         {"": instance("virtual_ipaddress {\n@node 10.9.9.7\n@other 10.9.9.8\n@^node 10.9.9.9\n@^other 10.9.9.10\n}")},
		"includes":           {"": "include conf.d/*.conf\ninclude nowhere.conf\n", "conf.d/a.conf": instance("include vips\nnotify_backup \"/bin/true x\""), "conf.d/vips": "virtual_ipaddress {\n10.9.9.7\n}\n", "conf.d/b": "garbage {"},
		"included elsewhere": {"": "include sub/a.conf\ninclude sub/b.conf\n", "sub/a.conf": "include deep/c.conf\n", "sub/b.conf": "", "sub/deep/c.conf": instance("virtual_ipaddress {\n10.9.9.7\n}")},
		"tabs":               {"": "\tvrrp_instance\tV1\t{\n interface\teth0\n virtual_router_id\t5\n virtual_ipaddress\t{\n\t10.9.9.7/24\tbrd\t+\tdev eth0 scope global\n }\n notify\t\"/bin/true\ta\"\troot\n}\n"},
		"a name that ends":   {"": "$P=/bin/true\n$A=failover\n$N=9\n" + instance("virtual_ipaddress {\n10.9.9.$N\n10.9.${N}.8\n}\nnotify_master \"$P $A\" root\nnotify_backup \"/bin/true $A x\" root")},
		"predefined":         {"": "include sub/a.conf\n" + instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_master \"${_PWD}/script ${_INSTANCE} a${_HASH}b${_BANG}c\" root"), "script": "#!/bin/sh\n", "sub/a.conf": "vrrp_instance V6 {\ninterface eth0\nvirtual_router_id 6\nvirtual_ipaddress {\n10.9.9.8\n}\nnotify_backup ${_PWD}/script\n}\n", "sub/script": "#!/bin/sh\n"},
		"outside quotes":     {"": instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_master /bin/true${_HASH}x root")},
		"a comment's name":   {"": "$VIPS= \\\n10.9.9.11/32 \\\n10.9.9.12/32\n" + instance("virtual_ipaddress {\n10.9.9.7\n# $VIPS\n! ~SEQ(N,3) 10.9.9.$N\n}")},
		"comments between":   {"": "$VIPS= \\\n10.9.9.11/32 \\ # one\n# two \\\n10.9.9.12/32 \\\n# three\n" + instance("virtual_ipaddress {\n$VIPS\n}")},
		"sequences":          {"": "$E=4\n" + instance("virtual_ipaddress {\n~SEQ(A,1,3) 10.9.9.$A\n~SEQ(B, 9, -2, 4) 10.9.8.${B}\n~SEQ(C, 2, $E) 10.9.7.$C\n~SEQ(D,2) @node 10.9.6.$D\n~SEQ(D,2) @other 10.9.5.$D\n@node ~SEQ(F,2) 10.9.4.$F\n}")},
		"sequences of six":   {"": instance("virtual_ipaddress {\n~SEQx(A,10,2,16) fe80::$A\n~SEQx (B,0x90,0x10,0xc0) ~SEQ(C,2) fe80::20:${B}:${C}\n}")},
		"a sequence's lines": {"": "$S=~SEQ(N,1,3) $I\n$I= \\\nvrrp_instance V${N} { \\\ninterface eth0 \\\nvirtual_router_id $N \\\nvirtual_ipaddress { \\\n10.9.9.$N \\\n} \\\n}\n$S\n"},
		"lists":              {"": instance("virtual_ipaddress {\n~LST( A , 1 , 5 ) 10.9.9.${A}/32\n~LST({B,C},{1,2},{3, 4}) 10.9.${B}.${C}\n~LST(D, 1, 2) ~SEQ(E,5,7) 10.8.${D}.${E}\n}")},
		"a space":            {"": "include a b\n" + instance("virtual_ipaddress {\n10.9.9.7\n}"), "a": "vrrp_instance V7 {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.9.9.99\n}\n}\n"},
		"include braces":     {"": "include {a,sub/{b,c}}.conf\ninclude {}.conf\ninclude {d.conf\ninclude e{1}.conf\n", "a.conf": "vrrp_instance V11 {\ninterface eth0\nvirtual_router_id 11\nvirtual_ipaddress {\n10.9.9.11\n}\n}\n", "sub/b.conf": "vrrp_instance V12 {\ninterface eth0\nvirtual_router_id 12\nvirtual_ipaddress {\n10.9.9.12\n}\n}\n", "sub/c.conf": "vrrp_instance V13 {\ninterface eth0\nvirtual_router_id 13\nvirtual_ipaddress {\n10.9.9.13\n}\n}\n", "{}.conf": "vrrp_instance V14 {\ninterface eth0\nvirtual_router_id 14\nvirtual_ipaddress {\n10.9.9.14\n}\n}\n", "{d.conf": "vrrp_instance V15 {\ninterface eth0\nvirtual_router_id 15\nvirtual_ipaddress {\n10.9.9.15\n}\n}\n", "e1.conf": "vrrp_instance V16 {\ninterface eth0\nvirtual_router_id 16\nvirtual_ipaddress {\n10.9.9.16\n}\n}\n"},
		"include all":        {"": "include conf.d/*\n", "conf.d/a": "vrrp_instance V11 {\ninterface eth0\nvirtual_router_id 11\nvirtual_ipaddress {\n10.9.9.11\n}\n}\n", "conf.d/b/c": "vrrp_instance V12 {\ninterface eth0\nvirtual_router_id 12\nvirtual_ipaddress {\n10.9.9.12\n}\n}\n"},
		"an executable":      {"": "include script\n" + instance("virtual_ipaddress {\n10.9.9.7\n}"), "script": "vrrp_instance V7 {\ninterface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.9.9.99\n}\n}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			notifies := false
			for file, content := range files {
				notifies = notifies || strings.Contains(content, "notify")
				path := filepath.Join(dir, file)
				if file == "" {
					path = filepath.Join(dir, "keepalived.conf")
				}
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				mode := os.FileMode(0o644)
				if filepath.Base(path) == "script" {
					mode = 0o755
				}
				if err := os.WriteFile(path, []byte(programs.Replace(content)), mode); err != nil {
					t.Fatal(err)
				}
			}
			config, err := Load(filepath.Join(dir, "keepalived.conf"), "node", installed.Habits(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			var addresses, scripts []string
			for _, i := range config.Instances {
				for _, a := range i.Addresses {
					addresses = append(addresses, a.Addr().String())
				}
				for e, s := range i.Scripts {
					scripts = append(scripts, string(e)+" '"+s.Program+"' "+strings.Join(s.Arguments, "|"))
				}
			}
			want := dumped(t, dir)
			if len(want.addresses) == 0 || notifies != (len(want.scripts) > 0) || len(want.refused) > 0 {
				t.Fatalf("keepalived has read the addresses %q and the scripts %q, and refuses %q; it says:\n%s", want.addresses, want.scripts, want.refused, want.log)
			}
			for _, list := range [][]string{addresses, scripts, want.addresses, want.scripts} {
				slices.Sort(list)
			}
			if diff := cmp.Diff(want.addresses, addresses); diff != "" {
				t.Errorf("addresses (-keepalived +Load):\n%s", diff)
			}
			if diff := cmp.Diff(want.scripts, scripts); diff != "" {
				t.Errorf("scripts (-keepalived +Load):\n%s", diff)
			}
		})
	}
}

// Whether this host's keepalived runs a script below a linked directory is as its
// version says.
func TestAgreesAboutLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/real", 0o755), os.Symlink("real", dir+"/link"), os.WriteFile(dir+"/real/s", []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(dir+"/keepalived.conf", []byte(instance("virtual_ipaddress {\n10.9.9.7\n}\nnotify_backup \""+dir+"/real/s y\" root\nnotify_master \""+dir+"/link/s x\" root")), 0o644)); err != nil {
		t.Fatal(err)
	}
	read := dumped(t, dir)
	installed, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	want := 2
	if installed.Habits(t.Context()).NoLinks {
		want = 1
	}
	if len(read.scripts) != want || len(read.refused) != 2-want {
		t.Errorf("keepalived has read the scripts %q, want %d, and refuses %q; it says:\n%s", read.scripts, want, read.refused, read.log)
	}
}

// unlinked is where a program is, without a link on the way.
func unlinked(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	dumpedAddress = regexp.MustCompile(`: {4,}([0-9a-f.:]+)(?:/[0-9]+)? (?:brd [0-9.]+ )?dev `)
	dumpedScript  = regexp.MustCompile(`(Master|Backup|Fault|Generic) state transition script = '([^']*)'(.*), uid`)
	refusedScript = regexp.MustCompile(`Wrong file type found in script path|Script .* cannot be accessed|(?i)disabling .*script`)
)

// dump is what keepalived says that it has read.
type dump struct {
	addresses, scripts []string
	refused            []string // why it drops a script
	log                string   // all that it says
}

// dumped runs the real keepalived.
func dumped(t *testing.T, dir string) dump {
	t.Helper()
	log := filepath.Join(dir, "log")
	// It takes its files of /run for those of another one that runs, even for a part that it does not start.
	runKeepalived(t, log, "--use-file", filepath.Join(dir, "keepalived.conf"), "--config-id", "node",
		"--pid", dir+"/p", "--vrrp_pid", dir+"/v", "--checkers_pid", dir+"/c", "--bfd_pid", dir+"/b")
	content, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	d := dump{log: string(content)}
	for line := range strings.Lines(d.log) {
		if m := dumpedAddress.FindStringSubmatch(line); m != nil && netip.MustParseAddr(m[1]).IsValid() {
			d.addresses = append(d.addresses, m[1])
		}
		if m := dumpedScript.FindStringSubmatch(line); m != nil {
			event := map[string]Event{"Master": NotifyMaster, "Backup": NotifyBackup, "Fault": NotifyFault, "Generic": Notify}[m[1]]
			arguments := strings.ReplaceAll(strings.Trim(m[3], " '"), "' '", "|")
			d.scripts = append(d.scripts, string(event)+" '"+m[2]+"' "+arguments)
		} else if strings.Contains(line, "transition script") {
			t.Fatalf("this test cannot read keepalived's line %q", line)
		}
		if refusedScript.MatchString(line) {
			d.refused = append(d.refused, strings.TrimSpace(line))
		}
	}
	return d
}

// runKeepalived runs keepalived in a network of its own until it has dumped
// what it read.
func runKeepalived(t *testing.T, log string, args ...string) {
	t.Helper()
	_, end := startKeepalived(t, log, args...)
	end()
}

// startKeepalived is runKeepalived that leaves it running until end is called.
func startKeepalived(t *testing.T, log string, args ...string) (process *os.Process, end func()) {
	t.Helper()
	if _, err := exec.LookPath("keepalived"); err != nil {
		t.Fatalf("this test runs the real keepalived (apt-get install keepalived): %v", err)
	}
	a, b := namespace(t), namespace(t)
	if err := lab.Veth(a, "eth0", b, "eth0"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*lab.Namespace{a, b} {
		if err := n.Do(func() error { return up("eth0") }); err != nil {
			t.Fatal(err)
		}
	}
	cmd := a.Command("keepalived", append([]string{"--dont-fork", "--log-console", "--dump-conf"}, args...)...)
	file, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(os.Interrupt)
			for range ended {
			}
			file.Close()
		})
	}
	t.Cleanup(end)
	for limit := time.After(20 * time.Second); ; {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		// The interfaces come last.
		if strings.Contains(string(content), "-----< Interfaces >------") {
			return cmd.Process, end
		}
		select {
		case err := <-ended:
			content, _ = os.ReadFile(log)
			t.Fatalf("keepalived has ended before it dumped all that it read (%v):\n%s", err, content)
		case <-limit:
			t.Fatalf("keepalived has not dumped all that it read in time:\n%s", content)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func namespace(t *testing.T) *lab.Namespace {
	t.Helper()
	n, err := lab.NewNamespace()
	if err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func up(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, &netlink.Addr{IPNet: netlink.NewIPNet([]byte{10, 9, 9, 1})}); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}
