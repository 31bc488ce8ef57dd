// Package metrics prints the state of the sync as Prometheus and OpenMetrics read it.
package metrics

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"connsync/conntrackd"
	"connsync/conntrackd/control"
	"connsync/conntrackd/health"
	"connsync/tui/text"
)

// Measured is what the metrics are made of.
type Measured struct {
	Time       time.Time
	Health     health.Health
	Settings   conntrackd.Settings
	Configured bool // there are settings
	Mode       string
	Seen       bool // the service was looked at
	OutOfPlace bool
	Version    string // of connsync
}

// Metric is one metric with its samples, as Prometheus has them.
type Metric struct {
	Name, Kind, Help string
	Samples          []Sample
}

// Sample is a value with its labels: name, value, name, value.
type Sample struct {
	Labels []string
	Value  float64
}

// The kinds of metrics.
const (
	Counter = "counter"
	Gauge   = "gauge"
)

func single(name, kind, help string, value float64) Metric {
	return Metric{name, kind, help, []Sample{{Value: value}}}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Metrics are those of the node; what was not seen has none.
func (m Measured) Metrics() []Metric {
	all := []Metric{
		single("connsync_status_timestamp_seconds", Gauge, "When connsync looked at the sync, since the epoch.", float64(m.Time.UnixMilli())/1000),
		{"connsync_build_info", Gauge, "The version of connsync.", []Sample{{[]string{"version", m.Version}, 1}}},
		m.verdict(),
	}
	if m.Configured {
		all = append(all, m.configuration()...)
	}
	if m.Seen {
		all = append(all,
			single("connsync_set_up", Gauge, "Whether sync is set up: 0 where there are no settings and nothing is wrong.", truth(m.Configured || !m.Health.Off)),
			single("connsync_daemon_running", Gauge, "Whether conntrackd runs.", truth(m.Health.Service.Active)))
		if at := m.Health.Service.AtBoot(); at != nil {
			all = append(all, single("connsync_daemon_enabled", Gauge, "Whether conntrackd is started at boot.", truth(*at)))
		}
		if since := m.Health.Service.Since; !since.IsZero() {
			all = append(all, single("connsync_daemon_start_time_seconds", Gauge, "When conntrackd was started, since the epoch.", float64(since.UnixMilli())/1000))
		}
	}
	if m.Health.Sockets != (health.Sockets{}) {
		all = append(all, socketMetrics(m.Health.Sockets)...)
	}
	if !m.Health.Time.IsZero() {
		all = append(all, counterMetrics(m.Health.Counters)...)
	}
	if c := m.Health.Coverage; c != nil {
		all = append(all, Metric{"connsync_connections", Gauge, "Connections of this node by what a failover would make of them, and those that are here for the peer.", []Sample{
			{[]string{"class", "survive"}, float64(c.Survive)}, {[]string{"class", "young"}, float64(c.Young)},
			{[]string{"class", "filtered"}, float64(c.Filtered)}, {[]string{"class", "missing"}, float64(c.Missing)},
			{[]string{"class", "unacknowledged"}, float64(c.Unacknowledged)}, {[]string{"class", "not-on-peer"}, float64(c.NotHeld)},
			{[]string{"class", "uncommitted"}, float64(c.Uncommitted)}, {[]string{"class", "unclear"}, float64(c.Unclear)}, {[]string{"class", "peer"}, float64(c.Peers)},
		}}, single("connsync_coverage_seconds", Gauge, "How long it took to compare the connections.", c.Took.Seconds()))
	}
	all = append(all, holdingMetrics(m.Health)...)
	return all
}

// verdict has a sample for each verdict, 1 for the one that holds.
func (m Measured) verdict() Metric {
	v := Metric{Name: "connsync_verdict", Kind: Gauge, Help: "Whether the two nodes sync: 1 for the verdict that holds, 0 for the others."}
	for _, verdict := range health.Verdicts() {
		v.Samples = append(v.Samples, Sample{[]string{"verdict", string(verdict)}, truth(verdict == m.Health.Verdict)})
	}
	return v
}

func (m Measured) configuration() []Metric {
	s := m.Settings
	return []Metric{
		{"connsync_settings_info", Gauge, "The settings in force.", []Sample{{[]string{
			"interface", s.Interface, "current_ip", s.Current.Addr().String(), "peer_ip", s.Peer.Addr().String(),
			"port", strconv.Itoa(int(s.Port)), "mode", m.Mode,
		}, 1}}},
		{"connsync_socket_buffer_configured_bytes", Gauge, "The socket buffers as configured.", []Sample{
			{[]string{"direction", "send"}, float64(max(s.SendBuffer, 0))}, {[]string{"direction", "receive"}, float64(max(s.ReceiveBuffer, 0))},
		}},
		single("connsync_out_of_place", Gauge, "Whether the settings stand on an appliance that has no connection sync.", truth(m.OutOfPlace)),
	}
}

func socketMetrics(s health.Sockets) []Metric {
	return []Metric{
		single("connsync_socket_bound", Gauge, "Whether conntrackd has a socket on Current IP and port.", truth(s.Bound)),
		{"connsync_socket_buffer_bytes", Gauge, "The socket buffers in force, as the kernel counts them.", []Sample{
			{[]string{"direction", "send"}, float64(s.SendBuffer)}, {[]string{"direction", "receive"}, float64(s.ReceiveBuffer)},
		}},
		single("connsync_receive_buffer_drops_total", Counter, "Datagrams that the kernel threw away because the receive buffer was full.", float64(s.Drops)),
	}
}

// linkMetric has a sample for each link of the daemon.
func linkMetric(name, help string, c control.Counters, of func(control.LinkStats) bool) Metric {
	m := Metric{Name: name, Kind: Gauge, Help: help}
	devices := map[string]bool{}
	for _, l := range c.Links {
		if devices[l.Device] { // two links on one device have one sample
			continue
		}
		devices[l.Device] = true
		m.Samples = append(m.Samples, Sample{[]string{"device", l.Device}, truth(of(l))})
	}
	return m
}

func counterMetrics(c control.Counters) []Metric {
	return []Metric{
		linkMetric("connsync_link_up", "Whether conntrackd takes the sync link for running.", c, func(l control.LinkStats) bool { return l.Status == "RUNNING" }),
		linkMetric("connsync_link_in_use", "Whether conntrackd sends and receives by the sync link; the others are spare.", c, func(l control.LinkStats) bool { return l.Active }),
		single("connsync_sent_bytes_total", Counter, "Bytes sent to the peer.", float64(c.BytesSent)),
		single("connsync_received_bytes_total", Counter, "Bytes received from the peer.", float64(c.BytesRecv)),
		single("connsync_sent_packets_total", Counter, "Datagrams sent to the peer.", float64(c.PacketsSent)),
		single("connsync_received_packets_total", Counter, "Datagrams received from the peer.", float64(c.PacketsRecv)),
		single("connsync_send_errors_total", Counter, "Datagrams that could not be sent.", float64(c.ErrorsSent)),
		single("connsync_receive_errors_total", Counter, "Errors while receiving.", float64(c.ErrorsRecv)),
		single("connsync_lost_messages_total", Counter, "Messages of the peer that never arrived, by their sequence numbers.", float64(c.Lost)),
		single("connsync_malformed_messages_total", Counter, "Messages that could not be read.", float64(c.Malformed)),
		single("connsync_late_messages_total", Counter, "Messages that were dropped because a later one had been seen.", float64(c.Before)),
		single("connsync_netlink_overruns_total", Counter, "Times that the kernel reported connections faster than conntrackd read them.", float64(c.Overruns)),
		single("connsync_refused_states_total", Counter, "States that did not fit into the state table.", float64(c.NoSpace)),
		single("connsync_peer_state_writes_total", Counter, "Writes of the peer's states into the kernel, new ones and updates.", float64(c.Injected)),
		single("connsync_injected_states_total", Counter, "The name of connsync_peer_state_writes_total in 1.0.", float64(c.Injected)),
		single("connsync_peer_states_refused_total", Counter, "States of the peer that the kernel or the external cache did not take.", float64(c.InjectFailed+c.ExternalNoSpace)),
		{"connsync_states", Gauge, "States in the daemon's caches, of this node and of the peer.", []Sample{
			{[]string{"origin", "here"}, float64(c.Internal)}, {[]string{"origin", "peer"}, float64(c.External)}}},
		single("connsync_resend_queue_messages", Gauge, "Messages that the peer has not acknowledged yet.", float64(c.ResendQueue)),
	}
}

// holdingMetrics are what the two nodes hold of each other's connections, as far as that
// is known.
func holdingMetrics(h health.Health) (all []Metric) {
	if h.Coverage != nil {
		all = append(all, single("connsync_connections_in_kernel", Gauge, "Connections in the kernel, of this node and of the peer.", float64(h.Coverage.Here())))
	}
	if h.Holding.Told != nil {
		if h.Holding.Of >= 0 {
			all = append(all, single("connsync_connections_on_peer", Gauge, "Connections of this node that the peer holds, as it told.", float64(h.Holding.OnPeer)),
				single("connsync_connections_expected_on_peer", Gauge, "Connections of this node that the peer should hold.", float64(h.Holding.Of)))
		}
		all = append(all, single("connsync_peer_told_seconds", Gauge, "How long ago the peer told what it holds.", h.Holding.Told.Age.Seconds()))
	}
	return all
}

// Write writes them as node_exporter's textfile collector, promtool and
// Prometheus read them: the text format 0.0.4, where a counter is declared by
// the whole name of its sample, without UNIT lines and the types info and
// stateset, which node_exporter refuses. The last line ends an OpenMetrics text.
func Write(w io.Writer, all []Metric) error {
	var b strings.Builder
	for _, m := range all {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, m.Kind)
		for _, s := range m.Samples {
			fmt.Fprintf(&b, "%s%s %s\n", m.Name, labelText(s.Labels), strconv.FormatFloat(s.Value, 'f', -1, 64))
		}
	}
	b.WriteString("# EOF\n")
	_, err := io.WriteString(w, b.String())
	return err
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labelText(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelEscapes.Replace(text.Clean(labels[i+1]))+`"`)
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
