package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"partner-zones/clients/grammar"
)

// transactor is a producer of transactions, or one that is a member of a group too.
type transactor struct {
	options grammar.Options
	client  *kgo.Client
	session *kgo.GroupTransactSession // of --from-topic; else nil
	closed  <-chan struct{}
}

func transact(options grammar.Options) error {
	t := transactor{options: options, closed: options.StdinClosed()}
	if err := t.open(); err != nil {
		return err
	}
	defer t.close()
	for _, end := range options.List("--ends", "commit") {
		if err := t.one(end); err != nil {
			return err
		}
	}
	return nil
}

func (t *transactor) open() error {
	more := append(partitioner(t.options), kgo.TransactionalID(t.options.Need("--transactional-id")))
	if !t.options.Has("--from-topic") {
		client, err := kgo.NewClient(settings(t.options, more...)...)
		t.client = client
		return err
	}
	member, err := membership(t.options)
	if err != nil {
		return err
	}
	more = append(append(more, member...),
		kgo.ConsumeTopics(t.options.Get("--from-topic", "")), kgo.RequireStableFetchOffsets())
	session, err := kgo.NewGroupTransactSession(settings(t.options, more...)...)
	if err == nil {
		t.session, t.client = session, session.Client()
	}
	return err
}

func (t *transactor) close() {
	if t.session != nil {
		t.session.CloseAllowingRebalance()
		return
	}
	t.client.Close()
}

func (t *transactor) one(end string) error {
	records := t.records(end)
	begin := t.client.BeginTransaction
	if t.session != nil {
		begin = t.session.Begin
	}
	if err := begin(); err != nil {
		return err
	}
	results := t.client.ProduceSync(context.Background(), records...)
	for number, result := range results {
		if result.Err == nil {
			grammar.Acked(result.Record.Topic, result.Record.Partition, result.Record.Offset,
				map[string]string{"acks": "all", "compression": "none"}, int64(number))
		}
	}
	if err := results.FirstErr(); err != nil {
		if t.end(kgo.TryAbort) == nil {
			grammar.Event("transaction", grammar.Fields{"state": "abort"})
		}
		return err
	}
	grammar.Event("transaction", grammar.Fields{"state": "open"})
	if t.options.Has("--until-stdin-closes") {
		<-t.closed
	}
	if err := t.end(kgo.TransactionEndTry(end == "commit")); err != nil {
		return err
	}
	grammar.Event("transaction", grammar.Fields{"state": end})
	return nil
}

func (t *transactor) end(how kgo.TransactionEndTry) error {
	if t.session == nil {
		return t.client.EndTransaction(context.Background(), how)
	}
	_, err := t.session.End(context.Background(), how)
	return err
}

// records are those of one transaction: made here, or the next of --from-topic.
func (t *transactor) records(end string) []*kgo.Record {
	var records []*kgo.Record
	if t.session == nil {
		for i := range t.options.Number("--count", 1) {
			words := map[string]string{"i": strconv.FormatInt(i, 10), "end": end}
			records = append(records, newRecord(t.options, words, i))
		}
		return records
	}
	partition, _ := t.options.Partition()
	wanted := int(t.options.Number("--max", 1))
	for ends := time.Now().Add(t.options.Timeout()); len(records) < wanted && time.Now().Before(ends); {
		for _, read := range poll(t.session.PollRecords, wanted-len(records)).Records() {
			records = append(records, &kgo.Record{
				Topic: t.options.Need("--topic"), Partition: partition, Key: read.Key, Value: read.Value,
			})
		}
	}
	return records
}
