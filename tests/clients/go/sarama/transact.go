package main

import (
	"context"
	"strconv"
	"sync"

	"github.com/IBM/sarama"
	"partner-zones/clients/grammar"
)

func transact(options grammar.Options) error {
	config := producing(options)
	idempotent(config)
	config.Producer.Transaction.ID = options.Need("--transactional-id")
	config.Producer.Return.Errors = true
	producer, err := sarama.NewSyncProducer(brokers(options), config)
	if err != nil {
		return err
	}
	defer producer.Close()
	t := transactor{options: options, producer: producer, closed: options.StdinClosed(), ends: options.List("--ends", "commit")}
	if !options.Has("--from-topic") {
		for _, end := range t.ends {
			if err := t.one(end, t.made(end), nil); err != nil {
				return err
			}
		}
		return nil
	}
	group, err := member(options)
	if err != nil {
		return err
	}
	defer group.Close()
	limited, cancel := context.WithTimeout(context.Background(), options.Timeout())
	defer cancel()
	t.done = cancel
	if err := group.Consume(limited, []string{options.Get("--from-topic", "")}, &t); err != nil {
		return err
	}
	return t.failed
}

// transactor makes one transaction after another; as a member of a group, of what the group reads.
type transactor struct {
	options  grammar.Options
	producer sarama.SyncProducer
	closed   <-chan struct{}
	ends     []string
	read     []*sarama.ConsumerMessage
	turn     sync.Mutex
	done     context.CancelFunc
	failed   error
}

func (t *transactor) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (t *transactor) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim is called for every partition, in a goroutine of its own; one at a time adds to the transaction.
func (t *transactor) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	wanted := int(t.options.Number("--max", 1))
	for message := range claim.Messages() {
		if t.take(session, message, wanted) {
			t.done()
			return nil
		}
	}
	return nil
}

// take adds a message to the transaction, ends that once it has what it wants, and says whether it was the last.
func (t *transactor) take(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage, wanted int) bool {
	t.turn.Lock()
	defer t.turn.Unlock()
	if len(t.ends) == 0 {
		return true
	}
	t.read = append(t.read, message)
	if len(t.read) < wanted {
		return false
	}
	group := sarama.NewConsumerGroupMetadataFromSession(session, t.options.Need("--group"), nil)
	t.failed = t.one(t.ends[0], t.transformed(), group)
	t.ends, t.read = t.ends[1:], nil
	if t.failed != nil {
		t.ends = nil
	}
	return len(t.ends) == 0
}

func (t *transactor) one(end string, messages []*sarama.ProducerMessage, group *sarama.ConsumerGroupMetadata) error {
	if err := t.producer.BeginTxn(); err != nil {
		return err
	}
	if err := t.send(messages, group); err != nil {
		if t.producer.AbortTxn() == nil {
			grammar.Event("transaction", grammar.Fields{"state": "abort"})
		}
		return err
	}
	grammar.Event("transaction", grammar.Fields{"state": "open"})
	if t.options.Has("--until-stdin-closes") {
		<-t.closed
	}
	finish := t.producer.CommitTxn
	if end == "abort" {
		finish = t.producer.AbortTxn
	}
	if err := finish(); err != nil {
		return err
	}
	grammar.Event("transaction", grammar.Fields{"state": end})
	return nil
}

func (t *transactor) send(messages []*sarama.ProducerMessage, group *sarama.ConsumerGroupMetadata) error {
	for number, message := range messages {
		partition, offset, err := t.producer.SendMessage(message)
		if err != nil {
			return err
		}
		words := map[string]string{"acks": "all", "compression": "none"}
		grammar.Acked(message.Topic, partition, offset, words, int64(number))
	}
	for _, message := range t.read {
		if err := t.producer.AddMessageToTxnWithGroupMetadata(message, group, nil); err != nil {
			return err
		}
	}
	return nil
}

// made are the records of a transaction of the driver's own.
func (t *transactor) made(end string) []*sarama.ProducerMessage {
	var messages []*sarama.ProducerMessage
	for i := range t.options.Number("--count", 1) {
		messages = append(messages, newMessage(t.options, map[string]string{"i": strconv.FormatInt(i, 10), "end": end}, i))
	}
	return messages
}

func (t *transactor) transformed() []*sarama.ProducerMessage {
	var messages []*sarama.ProducerMessage
	partition, _ := t.options.Partition()
	for _, read := range t.read {
		messages = append(messages, &sarama.ProducerMessage{Topic: t.options.Need("--topic"), Partition: partition,
			Key: sarama.ByteEncoder(read.Key), Value: sarama.ByteEncoder(read.Value)})
	}
	return messages
}
