package main

import (
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"partner-zones/clients/grammar"
)

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
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
	config := producing(options)
	config.Producer.Compression = codecs[words["compression"]]
	switch words["acks"] {
	case "0":
		config.Producer.RequiredAcks = sarama.NoResponse
	case "1":
		config.Producer.RequiredAcks = sarama.WaitForLocal
	default:
		idempotent(config)
	}
	producer, err := sarama.NewAsyncProducer(brokers(options), config)
	if err != nil {
		return err
	}
	shown := show(producer, words)
	for number := int64(0); number < options.Number("--count", 1) || options.Has("--until-stdin-closes"); number++ {
		select {
		case <-closed:
			producer.AsyncClose()
			shown.Wait()
			return nil
		default:
		}
		words := map[string]string{"acks": words["acks"], "compression": words["compression"], "i": strconv.FormatInt(number, 10)}
		producer.Input() <- newMessage(options, words, number)
		time.Sleep(options.Interval())
	}
	producer.AsyncClose()
	shown.Wait()
	return nil
}

// show prints what became of each record, until the producer is closed.
func show(producer sarama.AsyncProducer, words map[string]string) *sync.WaitGroup {
	var shown sync.WaitGroup
	shown.Go(func() {
		for message := range producer.Successes() {
			grammar.Acked(message.Topic, message.Partition, message.Offset, words, message.Metadata.(int64))
		}
	})
	shown.Go(func() {
		for failed := range producer.Errors() {
			grammar.Error(code(failed.Err), failed.Err, grammar.Fields{"number": failed.Msg.Metadata})
		}
	})
	return &shown
}

// producing takes --partition, if there is one.
func producing(options grammar.Options) *sarama.Config {
	config := configuration(options)
	if _, manual := options.Partition(); manual {
		config.Producer.Partitioner = sarama.NewManualPartitioner
	}
	return config
}

func idempotent(config *sarama.Config) {
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
}

func newMessage(options grammar.Options, words map[string]string, number int64) *sarama.ProducerMessage {
	partition, _ := options.Partition()
	message := &sarama.ProducerMessage{Topic: options.Need("--topic"), Partition: partition, Metadata: number}
	if key := options.Filled("--key", words); key != nil {
		message.Key = sarama.ByteEncoder(key)
	}
	if value := options.Value(words); value != nil {
		message.Value = sarama.ByteEncoder(value)
	}
	for _, header := range options.Headers() {
		message.Headers = append(message.Headers, sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
	}
	if options.Has("--timestamp") {
		message.Timestamp = time.UnixMilli(options.Number("--timestamp", 0) + number)
	}
	return message
}
