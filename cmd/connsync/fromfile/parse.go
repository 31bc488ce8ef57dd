package fromfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// parse reads one table of names and values, from JSON or YAML. Its errors
// begin with the line: "3: what is wrong".
func parse(content []byte) ([]namedValue, error) {
	// JSON is read as such: its escapes of characters beyond U+FFFF and its
	// tabs are none of YAML's.
	if json.Valid(content) {
		return parseJSON(content)
	}
	list, err := parseYAML(content)
	if err != nil && bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")) {
		return nil, jsonError(content)
	}
	return list, err
}

func jsonError(content []byte) error {
	err := json.Unmarshal(content, new(any))
	line := 1 + bytes.Count(content, []byte("\n"))
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line = 1 + bytes.Count(content[:syntax.Offset], []byte("\n"))
	}
	return fmt.Errorf("%d: invalid JSON: %w", line, err)
}

func parseJSON(content []byte) ([]namedValue, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	line := func() int { return 1 + bytes.Count(content[:d.InputOffset()], []byte("\n")) }
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("%d: %w", line(), errNoTable)
	}
	var list []namedValue
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("%d: %w", line(), err)
		}
		at := line()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%d: %w", at, err)
		}
		list = append(list, namedValue{name.(string), jsonEntry(value, at)})
	}
	return list, nil
}

func jsonEntry(raw json.RawMessage, line int) value {
	e := value{line: line, kind: kindOther, text: string(raw)}
	switch raw[0] {
	case '"':
		e.kind = kindText
		// It is valid, so this cannot fail.
		_ = json.Unmarshal(raw, &e.text)
	case 't', 'f':
		e.kind = kindBoolean
	case 'n':
		e.kind = kindNull
	case '[':
		e.kind = kindList
		var texts []string
		e.odd = json.Unmarshal(raw, &texts) != nil
		e.text = strings.Join(texts, ",")
		e.items = jsonItems(raw)
	case '{':
		e.kind = kindTable
	default:
		e.kind = numberKind(e.text)
	}
	return e
}

// plainNumber is a whole number as everybody reads it: 010 and 0x10 and 1_000
// are other numbers to other readers.
var plainNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`) })

func numberKind(literal string) kind {
	if plainNumber().MatchString(literal) {
		return kindNumber
	}
	return kindDecimal
}

func parseYAML(content []byte) ([]namedValue, error) {
	d := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	if err := d.Decode(&document); errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("1: %w", errNoTable) // comments only
	} else if err != nil {
		return nil, yamlError(err)
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%d: %w", root.Line, errNoTable)
	}
	var next yaml.Node
	if err := d.Decode(&next); err == nil {
		return nil, fmt.Errorf("%d: a second document begins here; give the settings of one node", next.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, yamlError(err)
	}
	return yamlTable(root)
}

// yamlTable are the entries of a table.
func yamlTable(root *yaml.Node) ([]namedValue, error) {
	var list []namedValue
	for i := 0; i+1 < len(root.Content); i += 2 {
		name, value := root.Content[i], root.Content[i+1]
		if name.Kind != yaml.ScalarNode || name.Tag == "!!merge" {
			return nil, fmt.Errorf("%d: the name of a setting is expected here; anchors and merged tables are not read", name.Line)
		}
		list = append(list, namedValue{name.Value, yamlEntry(value, name.Line)})
	}
	return list, nil
}

func yamlEntry(node *yaml.Node, line int) value {
	e := value{line: line, kind: kindOther, text: node.Value}
	switch {
	case node.Kind == yaml.SequenceNode:
		e.kind = kindList
		var texts []string
		for _, item := range node.Content {
			e.odd = e.odd || item.Tag != "!!str"
			texts = append(texts, item.Value)
		}
		e.text = strings.Join(texts, ",")
		e.items = yamlItems(node)
	case node.Kind == yaml.MappingNode:
		e.kind = kindTable
	case node.Kind != yaml.ScalarNode: // an alias
	case node.Tag == "!!str":
		e.kind = kindText
	case node.Tag == "!!bool":
		e.kind, e.text = kindBoolean, strings.ToLower(node.Value)
	case node.Tag == "!!null":
		e.kind = kindNull
	case node.Tag == "!!int" || node.Tag == "!!float":
		e.kind = numberKind(node.Value)
	}
	return e
}

// yamlLine is how the library names the line of an error.
var yamlLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^yaml: (?:line (\d+): )?(?:unmarshal errors:\n\s*)?`)
})

// yamlError puts the line first. The library counts from the line before where
// it is not sure, and leaves the first line out.
func yamlError(err error) error {
	m := yamlLine().FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf("1: %w", err)
	}
	line := m[1]
	if line == "" {
		line = "1"
	}
	return fmt.Errorf("%s: invalid YAML or JSON: %s", line, strings.TrimPrefix(err.Error(), m[0]))
}
