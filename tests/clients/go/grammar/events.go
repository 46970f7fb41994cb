package grammar

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

var output sync.Mutex

// Fields of an event.
type Fields = map[string]any

// Event prints one.
func Event(kind string, fields Fields) {
	event := Fields{"event": kind}
	for name, value := range fields {
		event[name] = value
	}
	line, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

// Error prints one under Kafka's name. Each driver has found the code, if its client gave one.
func Error(code int16, err error, fields Fields) {
	name := "UNKNOWN_SERVER_ERROR"
	var kafka *kerr.Error
	if errors.As(kerr.ErrorForCode(code), &kafka) {
		name = kafka.Message
	}
	event := Fields{"error": name, "code": code, "message": err.Error()}
	for field, value := range fields {
		event[field] = value
	}
	Event("error", event)
}

// Run is a driver's main function: the command, what went wrong with it, the end.
func Run(commands map[string]func(Options) error, code func(error) int16) {
	options := Parse(os.Args[1:])
	command, known := commands[options.Command]
	if !known {
		usage("unknown command: " + options.Command)
	}
	if err := command(options); err != nil {
		Error(code(err), err, nil)
	}
	Event("end", nil)
}

// Acked prints that the broker took a record.
func Acked(topic string, partition int32, offset int64, words map[string]string, number int64) {
	if words["acks"] == "0" {
		offset = -1
	}
	Event("acked", Fields{"topic": topic, "partition": partition, "offset": offset,
		"acks": words["acks"], "compression": words["compression"], "number": number})
}

// Record prints one as it was read.
func Record(topic string, partition int32, offset int64, at time.Time, key, value []byte, headers []Header) {
	shown := [][2]any{}
	for _, header := range headers {
		shown = append(shown, [2]any{header.Name, bytes(header.Value)})
	}
	Event("record", Fields{"topic": topic, "partition": partition, "offset": offset, "timestamp": at.UnixMilli(),
		"timestampType": "create", "key": bytes(key), "value": bytes(value), "headers": shown})
}

// bytes are base64 in JSON, and null only if they are nil.
func bytes(bytes []byte) any {
	if bytes == nil {
		return nil
	}
	return bytes
}

// Partition is one of a topic.
type Partition struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
}

// Offset is a committed position.
type Offset struct {
	Partition
	Offset int64 `json:"offset"`
}

// Partitions of a map by topic.
func Partitions(all map[string][]int32) []Partition {
	listed := []Partition{}
	for topic, partitions := range all {
		for _, partition := range partitions {
			listed = append(listed, Partition{topic, partition})
		}
	}
	return listed
}
