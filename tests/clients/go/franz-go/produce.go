package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"partner-zones/clients/grammar"
)

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func produce(options grammar.Options) error {
	closed := options.StdinClosed()
	for _, acks := range options.List("--acks", "all") {
		for _, compression := range options.List("--compression", "none") {
			words := map[string]string{"acks": acks, "compression": compression}
			if err := produceAll(options, words, closed); err != nil {
				return err
			}
		}
	}
	return nil
}

func produceAll(options grammar.Options, words map[string]string, closed <-chan struct{}) error {
	more := append(partitioner(options), kgo.ProducerBatchCompression(codecs[words["compression"]]))
	switch words["acks"] {
	case "0":
		more = append(more, kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite())
	case "1":
		more = append(more, kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(settings(options, more...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for number := int64(0); number < options.Number("--count", 1) || options.Has("--until-stdin-closes"); number++ {
		select {
		case <-closed:
			return client.Flush(context.Background())
		default:
		}
		words := map[string]string{"acks": words["acks"], "compression": words["compression"], "i": strconv.FormatInt(number, 10)}
		// Not the client's own delivery timeout: that one counts from a record's timestamp, which may be old.
		limited, cancel := context.WithTimeout(context.Background(), options.Timeout())
		client.Produce(limited, newRecord(options, words, number), func(record *kgo.Record, err error) {
			cancel()
			if err != nil {
				grammar.Error(code(err), err, grammar.Fields{"number": number})
				return
			}
			grammar.Acked(record.Topic, record.Partition, record.Offset, words, number)
		})
		time.Sleep(options.Interval())
	}
	return client.Flush(context.Background())
}

// partitioner takes --partition, if there is one.
func partitioner(options grammar.Options) []kgo.Opt {
	if _, manual := options.Partition(); manual {
		return []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}
	}
	return nil
}

func newRecord(options grammar.Options, words map[string]string, number int64) *kgo.Record {
	partition, _ := options.Partition()
	record := &kgo.Record{
		Topic: options.Need("--topic"), Partition: partition,
		Key: options.Filled("--key", words), Value: options.Value(words),
	}
	for _, header := range options.Headers() {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
	}
	if options.Has("--timestamp") {
		record.Timestamp = time.UnixMilli(options.Number("--timestamp", 0) + number)
	}
	return record
}
