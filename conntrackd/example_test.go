package conntrackd_test

import (
	"fmt"
	"log"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"connsync/conntrackd"
)

// A configuration file as a person wrote it.
const written = `# The pair of the machine room.
Sync {
	Mode FTFW {
		DisableExternalCache on
		StartupResync on
	}
	UDP {
		IPv4_address 10.0.0.101 # /24
		IPv4_Destination_Address 10.0.0.102 # /24
		Port 3780
		Interface eth1
		SndSocketBuffer 65536
		RcvSocketBuffer 65536
		Checksum on
	}
}
General {
	HashSize 65536
	HashLimit 524288
	LockFile /var/lock/conntrackd.lock
	UNIX {
		Path /var/run/conntrackd.ctl
	}
	NetlinkBufferSize 2097152
	NetlinkBufferSizeMaxGrowth 8388608
}
`

// Parse reads a file, and Settings are what the daemon would do with it.
func ExampleParse() {
	file, findings := conntrackd.Parse("conntrackd.conf", []byte(written))
	for _, f := range findings {
		fmt.Printf("line %d: %s\n", f.Line, f.Message)
	}
	settings, err := file.Settings()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(settings.Interface, settings.Current, settings.Peer, settings.Port)
	// Output:
	// eth1 10.0.0.101/24 10.0.0.102/24 3780
}

// What the daemon would refuse or misread is reported with its position. The
// file is kept all the same, byte for byte.
func ExampleParse_findings() {
	text := "Sync {\n\tMode FTFW {\n\t}\n\tUDP {\n\t\tPrt 3780\n\t}\n}\n"
	file, findings := conntrackd.Parse("conntrackd.conf", []byte(text))
	for _, f := range findings {
		fmt.Printf("%d:%d: %s\n", f.Line, f.Column, f.Message)
	}
	fmt.Println(string(file.Bytes()) == text)
	// Output:
	// 5:3: "Prt" is not known in UDP
	// true
}

// A candidate is the file as a save would leave it. Making one writes nothing:
// Diff is what a save would change.
func ExampleNewCandidate() {
	directory, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "conntrackd.conf")
	if err := os.WriteFile(path, []byte(written), 0o644); err != nil {
		log.Fatal(err)
	}

	file, _ := conntrackd.Parse(path, []byte(written))
	settings, err := file.Settings()
	if err != nil {
		log.Fatal(err)
	}
	settings.Enabled = true
	settings.Peer = netip.MustParsePrefix("10.0.0.103/24")
	settings.SendBuffer, settings.ReceiveBuffer = 262144, 262144

	candidate, err := conntrackd.NewCandidate(path, settings, conntrackd.Host{ConntrackMax: 262144})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("changed:", candidate.Changed())
	fmt.Print(strings.ReplaceAll(candidate.Diff(), path, "conntrackd.conf"))
	// Output:
	// changed: true
	// --- conntrackd.conf
	// +++ conntrackd.conf
	// @@ -6,11 +6,11 @@
	//  	}
	//  	UDP {
	//  		IPv4_address 10.0.0.101 # /24
	// -		IPv4_Destination_Address 10.0.0.102 # /24
	// +		IPv4_Destination_Address 10.0.0.103 # /24
	//  		Port 3780
	//  		Interface eth1
	// -		SndSocketBuffer 65536
	// -		RcvSocketBuffer 65536
	// +		SndSocketBuffer 262144
	// +		RcvSocketBuffer 262144
	//  		Checksum on
	//  	}
	//  }
}

// Values are settings as a person types them. They are converted and checked at
// once, and every problem is a sentence that says what to type instead.
func ExampleValues_Settings() {
	_, problems := conntrackd.Values{
		conntrackd.FieldEnabled:       "enable",
		conntrackd.FieldInterface:     "eth1",
		conntrackd.FieldCurrentIP:     "10.0.0.0/24",
		conntrackd.FieldPeerIP:        "10.0.0.102/24",
		conntrackd.FieldPort:          "70000",
		conntrackd.FieldSendBuffer:    "128K",
		conntrackd.FieldReceiveBuffer: "128K",
	}.Settings()
	for _, p := range problems {
		fmt.Printf("%s: %s\n", p.Field, p.Message)
	}
	// Output:
	// current_ip: 10.0.0.0/24 is the network address of its own subnet; type a host's address, from 10.0.0.1/24 to 10.0.0.254/24
	// port: port "70000" is above 65535, the highest; type a number from 1 to 65535, such as 3780
}

// The table of the settings has everything that is particular to one: its name
// for people, its flag, its default, and what is checked when it is typed.
func ExampleSettingTable_Find() {
	table := conntrackd.NewSettingTable()
	port, _ := table.Find(conntrackd.FieldPort)
	fmt.Printf("%s, --%s, %s by default\n", port.Label, port.Field.Flag(), port.Text(table.Defaults()))
	fmt.Println(port.Usage)
	// Output:
	// Port, --port, 3780 by default
	// UDP port, the same on both nodes (default 3780)
}
