package fromfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"connsync/conntrackd"
)

// listItem is one of a list; whole says that it is a table of names and values.
type listItem struct {
	entries []namedValue
	whole   bool
}

func jsonItems(raw json.RawMessage) (items []listItem) {
	var list []json.RawMessage
	_ = json.Unmarshal(raw, &list) // it is valid, so this cannot fail
	for _, item := range list {
		table, err := parseJSON(item)
		items = append(items, listItem{table, err == nil})
	}
	return items
}

func yamlItems(list *yaml.Node) (items []listItem) {
	for _, item := range list.Content {
		table, err := yamlTable(item)
		items = append(items, listItem{table, err == nil && item.Kind == yaml.MappingNode})
	}
	return items
}

// linksText is a list of links as it is typed; problem says why it cannot be one.
func linksText(t conntrackd.SettingTable, items []listItem) (text, problem string) {
	if len(items) == 0 {
		return conntrackd.NoLinks, ""
	}
	var links []string
	for i, item := range items {
		link, problem := linkText(t, item)
		if problem != "" {
			return "", fmt.Sprintf("%s, link %d: %s", conntrackd.FieldSpareLinks, i+1, problem)
		}
		links = append(links, link)
	}
	return strings.Join(links, ", "), ""
}

// linkText is one link: its values in the order of the fields. What is left out is
// the default link's.
func linkText(t conntrackd.SettingTable, item listItem) (text, problem string) {
	fields := conntrackd.LinkFields()
	if !item.whole {
		return "", "write it as names and values: interface, current_ip, peer_ip and perhaps port, send_buffer, receive_buffer"
	}
	words := make([]string, len(fields))
	for _, e := range item.entries {
		i := slices.Index(fields, conntrackd.Field(e.name))
		switch {
		case i < 0:
			return "", fmt.Sprintf("unknown name %q", e.name)
		case words[i] != "":
			return "", e.name + " is a duplicate; keep one"
		}
		if m := typeProblem(t, fields[i], e.value); m != "" {
			return "", m
		}
		if words[i] = linkWord(t, fields[i], e.value); words[i] == "" || strings.ContainsAny(words[i], " \t\r\n,") {
			return "", fmt.Sprintf("%s must be one word", e.name)
		}
	}
	for i, word := range words {
		switch {
		case word != "":
		case i < 3:
			return "", fmt.Sprintf("%s is missing", fields[i])
		default:
			words[i] = "-"
		}
	}
	return strings.TrimSuffix(strings.Join(words, " "), " -"), ""
}

// linkWord is a value of a link; a buffer of 0 is what show prints for the system's.
func linkWord(t conntrackd.SettingTable, field conntrackd.Field, e value) string {
	if setting, _ := t.Find(field); setting.Kind == conntrackd.BytesSetting && e.text == "0" {
		return conntrackd.SystemBufferWord
	}
	return strings.TrimSpace(e.text)
}
