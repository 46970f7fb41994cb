// Package grammar is what both Go drivers share: the options and events of ../../README.md.
package grammar

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

var flags = map[string]bool{"--until-stdin-closes": true, "--commit": true}

// Options with a value, which may be repeated, and flags.
type Options struct {
	Command string
	values  map[string][]string
	// Settings are those of the file, then those of -X.
	Settings map[string]string
}

// Parse reads the command line; what is wrong with it ends the process with code 2.
func Parse(arguments []string) Options {
	if len(arguments) == 0 {
		usage("missing command: see tests/clients/README.md")
	}
	options := Options{Command: arguments[0], values: map[string][]string{}, Settings: map[string]string{}}
	for rest := arguments[1:]; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if flags[name] {
			options.values[name] = []string{""}
			continue
		}
		if !strings.HasPrefix(name, "-") || len(rest) == 0 {
			usage("not an option with a value: " + name)
		}
		options.values[name] = append(options.values[name], rest[0])
		rest = rest[1:]
	}
	if path := options.Get("--config", ""); path != "" {
		options.readSettings(path)
	}
	for _, setting := range options.All("-X") {
		options.setting(setting)
	}
	return options
}

func (o Options) readSettings(path string) {
	file, err := os.Open(path)
	if err != nil {
		usage(err.Error())
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			o.setting(line)
		}
	}
}

func (o Options) setting(text string) {
	name, value, _ := strings.Cut(text, "=")
	o.Settings[name] = value
}

// Login is the user and password of the settings, spelled as librdkafka spells them; false without authentication. Neither
// client is given another mechanism than PLAIN.
func (o Options) Login() (user, password string, ok bool) {
	known := map[string]bool{"security.protocol": true, "sasl.mechanism": true, "sasl.username": true, "sasl.password": true}
	for name := range o.Settings {
		if !known[name] {
			usage("unknown setting: " + name)
		}
	}
	switch protocol := o.Settings["security.protocol"]; protocol {
	case "", "PLAINTEXT":
		return "", "", false
	case "SASL_PLAINTEXT":
		if mechanism := o.Settings["sasl.mechanism"]; mechanism != "PLAIN" {
			usage("unknown sasl.mechanism: " + mechanism)
		}
		return o.Settings["sasl.username"], o.Settings["sasl.password"], true
	default:
		usage("unknown security.protocol: " + protocol)
		return "", "", false
	}
}

// Has says whether the option was given.
func (o Options) Has(name string) bool { return len(o.values[name]) > 0 }

// All are the values of an option that may be repeated.
func (o Options) All(name string) []string { return o.values[name] }

// Get is the option's last value.
func (o Options) Get(name, otherwise string) string {
	if all := o.values[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return otherwise
}

// Need is the value of an option that must be there.
func (o Options) Need(name string) string {
	if !o.Has(name) {
		usage("missing option: " + name)
	}
	return o.Get(name, "")
}

// List is the value of an option at its commas.
func (o Options) List(name, otherwise string) []string {
	return strings.Split(o.Get(name, otherwise), ",")
}

// Number is the option's value as one.
func (o Options) Number(name string, otherwise int64) int64 {
	if !o.Has(name) {
		return otherwise
	}
	number, err := strconv.ParseInt(o.Get(name, ""), 10, 64)
	if err != nil {
		usage(name + ": " + err.Error())
	}
	return number
}

// Partition is the one of --partition, if there is one.
func (o Options) Partition() (int32, bool) {
	return int32(o.Number("--partition", 0)), o.Has("--partition")
}

// Partitions are all of --partition.
func (o Options) Partitions() []int32 {
	var partitions []int32
	for _, text := range o.All("--partition") {
		number, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			usage("--partition: " + err.Error())
		}
		partitions = append(partitions, int32(number))
	}
	return partitions
}

// Timeout is the longest that anything may take.
func (o Options) Timeout() time.Duration {
	return time.Duration(o.Number("--timeout", 30_000)) * time.Millisecond
}

// Interval is the pause between two records.
func (o Options) Interval() time.Duration {
	otherwise := int64(0)
	if o.Has("--until-stdin-closes") {
		otherwise = 10
	}
	return time.Duration(o.Number("--interval", otherwise)) * time.Millisecond
}

// Filled is the option with words in place of `{i}` and so on; nil if it was not given.
func (o Options) Filled(name string, words map[string]string) []byte {
	if !o.Has(name) {
		return nil
	}
	text := o.Get(name, "")
	for word, value := range words {
		text = strings.ReplaceAll(text, "{"+word+"}", value)
	}
	return []byte(text)
}

// Value is --value filled, up to --size.
func (o Options) Value(words map[string]string) []byte {
	value := o.Filled("--value", words)
	for int64(len(value)) < o.Number("--size", 0) {
		value = append(value, '.')
	}
	return value
}

// Header is a name and a value, which can be null.
type Header struct {
	Name  string
	Value []byte
}

// Headers are those of --header.
func (o Options) Headers() []Header {
	var headers []Header
	for _, text := range o.All("--header") {
		name, value, has := strings.Cut(text, "=")
		header := Header{Name: name}
		if has {
			header.Value = []byte(value)
		}
		headers = append(headers, header)
	}
	return headers
}

// StdinClosed is closed at the end of stdin; never without --until-stdin-closes.
func (o Options) StdinClosed() <-chan struct{} {
	closed := make(chan struct{})
	if o.Has("--until-stdin-closes") {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(closed)
		}()
	}
	return closed
}

func usage(message string) {
	fmt.Fprintln(os.Stderr, "error: "+message)
	os.Exit(2)
}
