package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"partner-zones/clients/grammar"
)

// handler is a member of a group: sarama gives each partition a goroutine of its own, and one at a time shows what it has.
type handler struct {
	options grammar.Options
	reading *grammar.Reading
	done    context.CancelFunc
	turn    sync.Mutex
}

func consume(options grammar.Options) error {
	group, err := member(options)
	if err != nil {
		return err
	}
	defer group.Close()
	running, done := context.WithCancel(context.Background())
	defer done()
	handler := &handler{options: options, reading: grammar.NewReading(options), done: done}
	go handler.watch(running)
	go func() {
		for err := range group.Errors() {
			grammar.Error(code(err), err, nil)
		}
	}()
	for running.Err() == nil {
		err := group.Consume(running, options.All("--topic"), handler)
		if err != nil && running.Err() == nil && !errors.Is(err, sarama.ErrClosedConsumerGroup) {
			return err
		}
	}
	return nil
}

func member(options grammar.Options) (sarama.ConsumerGroup, error) {
	config := configuration(options)
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	if protocol := options.Get("--protocol", "eager"); protocol != "eager" {
		return nil, errors.New("sarama has no group protocol " + protocol)
	}
	return sarama.NewConsumerGroup(brokers(options), options.Need("--group"), config)
}

// watch ends the reading when it is over, in the middle of a wait for records too.
func (h *handler) watch(running context.Context) {
	for running.Err() == nil {
		h.turn.Lock()
		over := h.reading.Over()
		h.turn.Unlock()
		if over {
			h.done()
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (h *handler) Setup(session sarama.ConsumerGroupSession) error {
	h.reading.Assigned()
	grammar.Event("assigned", grammar.Fields{"partitions": grammar.Partitions(session.Claims())})
	return nil
}

func (h *handler) Cleanup(session sarama.ConsumerGroupSession) error {
	grammar.Event("revoked", grammar.Fields{"partitions": grammar.Partitions(session.Claims())})
	return nil
}

func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case message, more := <-claim.Messages():
			if !more {
				return nil
			}
			h.one(session, message)
		}
	}
}

func (h *handler) one(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) {
	h.turn.Lock()
	defer h.turn.Unlock()
	if h.reading.Over() {
		return
	}
	showRecord(message)
	h.reading.Shown()
	if h.options.Has("--commit") {
		session.MarkMessage(message, "")
		session.Commit()
		at := grammar.Partition{Topic: message.Topic, Partition: message.Partition}
		grammar.Event("committed", grammar.Fields{"offsets": []grammar.Offset{{Partition: at, Offset: message.Offset + 1}}})
	}
}

func assign(options grammar.Options) error {
	reading := grammar.NewReading(options)
	consumer, err := sarama.NewConsumer(brokers(options), configuration(options))
	if err != nil {
		return err
	}
	defer consumer.Close()
	messages := make(chan *sarama.ConsumerMessage)
	failures := make(chan error)
	from := map[string]int64{"earliest": sarama.OffsetOldest, "latest": sarama.OffsetNewest}
	start, named := from[options.Get("--from", "earliest")]
	if !named {
		start = options.Number("--from", 0)
	}
	for _, topic := range options.All("--topic") {
		for _, partition := range options.Partitions() {
			claim, err := consumer.ConsumePartition(topic, partition, start)
			if err != nil {
				return err
			}
			go func() {
				for message := range claim.Messages() {
					messages <- message
				}
			}()
			go func() {
				for failed := range claim.Errors() {
					failures <- failed
				}
			}()
		}
	}
	reading.Assigned()
	last := ""
	for !reading.Over() {
		select {
		case message := <-messages:
			showRecord(message)
			reading.Shown()
		case failed := <-failures:
			// The same trouble over and over is one event.
			if failed.Error() != last {
				grammar.Error(code(failed), failed, nil)
			}
			last = failed.Error()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func showRecord(message *sarama.ConsumerMessage) {
	var headers []grammar.Header
	for _, header := range message.Headers {
		headers = append(headers, grammar.Header{Name: string(header.Key), Value: header.Value})
	}
	grammar.Record(message.Topic, message.Partition, message.Offset, message.Timestamp, message.Key, message.Value, headers)
}
