// kafkajs behind the grammar of ../README.md.
'use strict'

const { readFileSync } = require('node:fs')
const { parseArgs } = require('node:util')
const { CompressionTypes, Kafka, PartitionAssigners, logLevel } = require('kafkajs')

const event = (kind, fields = {}) => console.log(JSON.stringify({ event: kind, ...fields }))
const asBase64 = (data) => (data == null ? null : Buffer.from(data).toString('base64'))
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

function showError(error, fields = {}) {
  const cause = error.cause ?? error
  const protocol = cause.type !== undefined && cause.code !== undefined
  event('error', {
    error: protocol ? cause.type : 'UNKNOWN_SERVER_ERROR',
    code: protocol ? cause.code : -1,
    message: `${cause.name}: ${cause.message}`,
    ...fields,
  })
}

// The file's settings are spelled as librdkafka spells them.
function client(options) {
  const lines = options.config ? readFileSync(options.config, 'utf8').split('\n') : []
  const pairs = [...lines, ...options.X].filter((line) => line && !line.startsWith('#')).map((line) => {
    const at = line.indexOf('=')
    return [line.slice(0, at), line.slice(at + 1)]
  })
  const settings = Object.fromEntries(pairs)
  const sasl = settings['security.protocol'] === 'SASL_PLAINTEXT' && {
    mechanism: settings['sasl.mechanism'].toLowerCase(),
    username: settings['sasl.username'],
    password: settings['sasl.password'],
  }
  return new Kafka({
    brokers: options.bootstrap.split(','),
    logLevel: logLevel.NOTHING,
    requestTimeout: options.timeout,
    ...(sasl && { sasl }),
  })
}

// Its `value` is true at the end of stdin; never without --until-stdin-closes.
function stdinClosed(options) {
  const closed = { value: false }
  if (options['until-stdin-closes']) {
    process.stdin.on('end', () => (closed.value = true)).resume()
  }
  return closed
}

// --- produce and transact --------------------------------------------------------------------------------------------

function filled(template, words) {
  if (template === undefined) return null
  return Object.entries(words).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), template)
}

function message(options, words, number) {
  const value = filled(options.value, words)
  return {
    key: filled(options.key, words),
    value: options.size ? (value ?? '').padEnd(options.size, '.') : value,
    ...(options.partition.length > 0 && { partition: Number(options.partition[0]) }),
    ...(options.timestamp !== undefined && { timestamp: String(options.timestamp + number) }),
    headers: Object.fromEntries(options.header.map((header) => {
      const at = header.indexOf('=')
      return [header.slice(0, at), header.slice(at + 1)]
    })),
  }
}

function acked(topic, results, first, acks = 'all', compression = 'none') {
  for (const written of results) {
    event('acked', {
      topic, partition: written.partition, offset: acks === '0' ? -1 : Number(written.baseOffset ?? written.offset),
      acks, compression, number: first,
    })
  }
}

async function produce(options) {
  const closed = stdinClosed(options)
  for (const acks of options.acks.split(',')) {
    for (const compression of options.compression.split(',')) {
      await produceAll(options, acks, compression, closed)
    }
  }
}

async function produceAll(options, acks, compression, closed) {
  const idempotent = acks === 'all'
  const producer = client(options).producer({ idempotent, allowAutoTopicCreation: false })
  await producer.connect()
  const interval = options.interval ?? (options['until-stdin-closes'] ? 10 : 0)
  for (let i = 0; (i < options.count || options['until-stdin-closes']) && !closed.value; i++) {
    try {
      const results = await producer.send({
        topic: options.topic[0],
        acks: acks === 'all' ? -1 : Number(acks),
        compression: CompressionTypes[compression.toUpperCase()],
        messages: [message(options, { i, acks, compression }, i)],
      })
      // Without acknowledgements it says nothing; the record went where it was sent to.
      acked(options.topic[0], acks === '0' ? [{ partition: Number(options.partition[0]) }] : results, i, acks, compression)
    } catch (error) {
      showError(error, { number: i })
    }
    await sleep(interval)
  }
  await producer.disconnect()
}

async function transact(options) {
  const closed = stdinClosed(options)
  const kafka = client(options)
  const producer = kafka.producer({ transactionalId: options['transactional-id'], idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  try {
    if (options['from-topic'] === undefined) {
      for (const end of options.ends.split(',')) {
        const messages = Array.from({ length: options.count }, (_, i) => message(options, { i, end }, i))
        await transaction(options, producer, end, messages, null, closed)
      }
    } else {
      await transform(options, kafka, producer, closed)
    }
  } finally {
    await producer.disconnect()
  }
}

// One transaction for each end, of what a member of the group reads.
async function transform(options, kafka, producer, closed) {
  const consumer = kafka.consumer(membership(options))
  const ends = options.ends.split(',')
  await consumer.connect()
  await consumer.subscribe({ topics: [options['from-topic']], fromBeginning: true })
  let read = []
  await new Promise((resolve, reject) => {
    setTimeout(resolve, options.timeout).unref()
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message: record }) => {
        if (ends.length === 0) return
        read.push({ topic, partition, record })
        if (read.length < (options.max ?? 1)) return
        const messages = read.map(({ record }) => ({
          key: record.key, value: record.value, partition: Number(options.partition[0] ?? 0),
        }))
        const offsets = read.map(({ topic, partition, record }) => (
          { topic, partitions: [{ partition, offset: String(BigInt(record.offset) + 1n) }] }))
        read = []
        try {
          await transaction(options, producer, ends.shift(), messages, offsets.slice(-1), closed)
        } catch (error) {
          reject(error)
        }
        if (ends.length === 0) resolve()
      },
    }).catch(reject)
  })
  await consumer.disconnect()
}

async function transaction(options, producer, end, messages, offsets, closed) {
  const transaction = await producer.transaction()
  try {
    let number = 0
    for (const one of messages) {
      acked(options.topic[0], await transaction.send({ topic: options.topic[0], messages: [one] }), number++)
    }
    if (offsets) {
      await transaction.sendOffsets({ consumerGroupId: options.group, topics: offsets })
    }
    event('transaction', { state: 'open' })
    while (options['until-stdin-closes'] && !closed.value) await sleep(20)
  } catch (error) {
    await transaction.abort()
    event('transaction', { state: 'abort' })
    throw error
  }
  await (end === 'commit' ? transaction.commit() : transaction.abort())
  event('transaction', { state: end })
}

// --- consume and assign ----------------------------------------------------------------------------------------------

function membership(options) {
  return {
    groupId: options.group,
    readUncommitted: options.isolation === 'read_uncommitted',
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 500,
    // The default of three seconds is how long a rebalance takes.
    heartbeatInterval: 500,
    ...(options.protocol === 'eager' && { partitionAssigners: [PartitionAssigners.roundRobin] }),
  }
}

async function consume(options) {
  if (options.protocol !== 'eager') throw new Error(`kafkajs has no group protocol ${options.protocol}`)
  await read(options, () => true, true)
}

// kafkajs reads in groups only: one of its own for each run, of which the other partitions are not shown.
async function assign(options) {
  const only = new Set(options.partition.map(Number))
  options.group = `assign-${process.pid}-${Date.now()}`
  await read(options, (partition) => only.has(partition), false)
}

async function read(options, wanted, member) {
  const closed = stdinClosed(options)
  const started = Date.now()
  let quietSince = 0
  let left = options.max ?? Infinity
  let held = []
  const consumer = client(options).consumer(membership(options))
  const listed = (assignment) => Object.entries(assignment)
    .flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))
  const revoke = () => {
    if (member && held.length > 0) event('revoked', { partitions: held })
    held = []
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    revoke()
    quietSince ||= Date.now()
    held = listed(payload.memberAssignment)
    if (member) event('assigned', { partitions: held })
  })
  consumer.on(consumer.events.REBALANCING, revoke)
  consumer.on(consumer.events.CRASH, ({ payload }) => showError(payload.error))
  await consumer.connect()
  await consumer.subscribe({ topics: options.topic, fromBeginning: options.from !== 'latest' })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, partition, message: record }) => {
      if (left <= 0 || !wanted(partition)) return
      left--
      quietSince = Date.now()
      show(topic, partition, record)
      if (options.commit) {
        const offset = String(BigInt(record.offset) + 1n)
        await consumer.commitOffsets([{ topic, partition, offset }])
        event('committed', { offsets: [{ topic, partition, offset: Number(offset) }] })
      }
    },
  })
  if (!member && !['earliest', 'latest'].includes(options.from)) {
    for (const topic of options.topic) for (const partition of options.partition) {
      consumer.seek({ topic, partition: Number(partition), offset: options.from })
    }
  }
  const over = () => {
    if (left <= 0) return true
    if (options['until-stdin-closes']) return closed.value
    if (Date.now() - started >= options.timeout) return true
    return options.idle !== undefined && quietSince > 0 && Date.now() - quietSince >= options.idle
  }
  while (!over()) await sleep(20)
  revoke()
  await consumer.disconnect()
}

function show(topic, partition, record) {
  const headers = Object.entries(record.headers ?? {})
    .flatMap(([name, values]) => [values].flat().map((value) => [name, asBase64(value)]))
  event('record', {
    topic, partition, offset: Number(record.offset), timestamp: Number(record.timestamp), timestampType: 'create',
    key: asBase64(record.key), value: asBase64(record.value), headers,
  })
}

// --- what the admin client can see -----------------------------------------------------------------------------------

async function administer(options, ask) {
  const admin = client(options).admin()
  await admin.connect()
  try {
    await ask(admin)
  } finally {
    await admin.disconnect()
  }
}

const listTopics = (options) => administer(options, async (admin) => {
  for (const name of (await admin.listTopics()).sort()) event('topic', { name })
})

const listGroups = (options) => administer(options, async (admin) => {
  const { groups } = await admin.listGroups()
  for (const name of groups.map((group) => group.groupId).sort()) event('group', { group: name })
})

const describeTopic = (options) => administer(options, async (admin) => {
  const { topics } = await admin.fetchTopicMetadata({ topics: options.topic })
  for (const topic of topics) {
    const partitions = topic.partitions.map((p) => (
      { partition: p.partitionId, leader: p.leader, replicas: p.replicas, isr: p.isr }))
    event('topic', { name: topic.name, partitions: partitions.sort((a, b) => a.partition - b.partition) })
  }
})

const describeCluster = (options) => administer(options, async (admin) => {
  const cluster = await admin.describeCluster()
  event('cluster', {
    id: cluster.clusterId, controller: cluster.controller ?? -1,
    nodes: cluster.brokers.map((broker) => ({ id: broker.nodeId, host: broker.host, port: broker.port })),
    authorizedOperations: [],
  })
})

const committed = (options) => administer(options, async (admin) => {
  for (const { topic, partitions } of await admin.fetchOffsets({ groupId: options.group })) {
    for (const { partition, offset } of partitions) {
      if (Number(offset) >= 0) event('offset', { topic, partition, offset: Number(offset) })
    }
  }
})

const COMMANDS = {
  produce, consume, assign, transact, committed,
  'list-topics': listTopics,
  'list-groups': listGroups,
  'describe-topic': describeTopic,
  'describe-cluster': describeCluster,
}

function parse(args) {
  const text = { type: 'string' }
  const list = { type: 'string', multiple: true, default: [] }
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      bootstrap: text, config: text, X: { ...list, short: 'X' }, timeout: { ...text, default: '30000' },
      topic: list, partition: list, header: list, count: { ...text, default: '1' }, key: text, value: text,
      size: { ...text, default: '0' }, timestamp: text, acks: { ...text, default: 'all' },
      compression: { ...text, default: 'none' }, interval: text, 'until-stdin-closes': { type: 'boolean', default: false },
      group: text, protocol: { ...text, default: 'eager' }, from: { ...text, default: 'earliest' }, max: text, idle: text,
      commit: { type: 'boolean', default: false }, isolation: { ...text, default: 'read_uncommitted' },
      'transactional-id': text, ends: { ...text, default: 'commit' }, 'from-topic': text,
    },
  })
  for (const name of ['timeout', 'count', 'size', 'timestamp', 'interval', 'max', 'idle']) {
    if (values[name] !== undefined) values[name] = Number(values[name])
  }
  return [positionals[0], values]
}

async function main() {
  const [command, options] = parse(process.argv.slice(2))
  if (!COMMANDS[command]) {
    console.error(`error: unknown command: ${command}`)
    process.exit(2)
  }
  try {
    await COMMANDS[command](options)
  } catch (error) {
    showError(error)
  }
  event('end')
  process.exit(0)
}

main()
