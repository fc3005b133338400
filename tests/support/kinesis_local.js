// A Kinesis of one process, for tests: shards that split and merge as AWS's do, in the protocol of
// its JSON form. Data in memory, nothing checked that the tests do not need.
//
// Two ports of one state: HTTP/1.1 for boto3, and HTTP/2 with prior knowledge for the Kinesis
// Client Library, which speaks nothing else. Its SDK has to be told CBOR_ENABLED=false.
//
// Why not an emulator from npm or PyPI: kinesalite's GetRecords has no ChildShards, without which
// the KCL never ends a shard; moto moves a closed shard's records into its children; each call of
// kinesis-local takes time in proportion to all records that it holds (2 s of CPU with 11,000).
//
//   node kinesis_local.js     prints the two ports as JSON, and ends with its standard input
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");
const http2 = require("node:http2");

const ACCOUNT = "000000000000";
const REGION = "us-east-1";
const TOP = (1n << 128n) - 1n;
const streams = new Map();
let counter = 49650000000000000000000000000000000000000000000000000000n; // 56 digits, as AWS's
let calls = 0;

function number() {
  counter += 16n;
  return counter;
}

class Refused extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

function named(request) {
  const name = request.StreamName ?? (request.StreamARN ?? "").split("/").pop();
  const stream = streams.get(name);
  if (!stream) throw new Refused("ResourceNotFoundException", `Stream ${name} not found`);
  return stream;
}

function shardOf(stream, id) {
  const shard = stream.shards.find((one) => one.id === id);
  if (!shard) throw new Refused("ResourceNotFoundException", `Shard ${id} not found`);
  return shard;
}

function addShard(stream, from, to, parents) {
  const id = `shardId-${String(stream.shards.length).padStart(12, "0")}`;
  stream.shards.push({ id, from, to, parents, first: number(), last: null, records: [] });
  return id;
}

function close(shard) {
  if (shard.last !== null) throw new Refused("ResourceInUseException", `${shard.id} is closed`);
  shard.last = number();
}

function described(shard) {
  const range = { StartingSequenceNumber: String(shard.first) };
  if (shard.last !== null) range.EndingSequenceNumber = String(shard.last);
  return {
    ShardId: shard.id,
    ParentShardId: shard.parents[0],
    AdjacentParentShardId: shard.parents[1],
    HashKeyRange: { StartingHashKey: String(shard.from), EndingHashKey: String(shard.to) },
    SequenceNumberRange: range,
  };
}

function summary(stream) {
  return {
    StreamName: stream.name,
    StreamARN: `arn:aws:kinesis:${REGION}:${ACCOUNT}:stream/${stream.name}`,
    StreamStatus: "ACTIVE",
    StreamModeDetails: { StreamMode: "PROVISIONED" },
    RetentionPeriodHours: 24,
    StreamCreationTimestamp: stream.created,
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    EncryptionType: "NONE",
    OpenShardCount: stream.shards.filter((shard) => shard.last === null).length,
    ConsumerCount: 0,
  };
}

function put(stream, entry) {
  const digest = crypto.createHash("md5").update(entry.PartitionKey).digest("hex");
  const hash = entry.ExplicitHashKey ? BigInt(entry.ExplicitHashKey) : BigInt(`0x${digest}`);
  const shard = stream.shards.find(
    (one) => one.last === null && one.from <= hash && hash <= one.to,
  );
  const sequence = number();
  shard.records.push({
    number: sequence,
    shown: {
      SequenceNumber: String(sequence),
      PartitionKey: entry.PartitionKey,
      Data: entry.Data,
      ApproximateArrivalTimestamp: Date.now() / 1000,
    },
  });
  return { ShardId: shard.id, SequenceNumber: String(sequence) };
}

function startOf(shard, request) {
  const asked = request.StartingSequenceNumber ? BigInt(request.StartingSequenceNumber) : 0n;
  const at = (wanted) => {
    const index = shard.records.findIndex(wanted);
    return index < 0 ? shard.records.length : index;
  };
  switch (request.ShardIteratorType) {
    case "TRIM_HORIZON":
      return 0;
    case "LATEST":
      return shard.records.length;
    case "AT_SEQUENCE_NUMBER":
      return at((record) => record.number >= asked);
    case "AFTER_SEQUENCE_NUMBER":
      return at((record) => record.number > asked);
    default:
      return at((record) => record.shown.ApproximateArrivalTimestamp >= request.Timestamp);
  }
}

const operations = {
  CreateStream(request) {
    const count = BigInt(request.ShardCount ?? 1);
    const stream = { name: request.StreamName, created: Date.now() / 1000, shards: [] };
    for (let i = 0n; i < count; i += 1n) {
      const to = i + 1n === count ? TOP : ((TOP + 1n) * (i + 1n)) / count - 1n;
      addShard(stream, ((TOP + 1n) * i) / count, to, []);
    }
    streams.set(request.StreamName, stream);
    return {};
  },
  ListStreams: () => ({ StreamNames: [...streams.keys()], HasMoreStreams: false }),
  DescribeStreamSummary: (request) => ({ StreamDescriptionSummary: summary(named(request)) }),
  DescribeStream(request) {
    const stream = named(request);
    const description = { ...summary(stream), HasMoreShards: false };
    return { StreamDescription: { ...description, Shards: stream.shards.map(described) } };
  },
  ListShards(request) {
    const filter = request.ShardFilter?.Type;
    const shown = named(request).shards.filter(
      (shard) =>
        (filter !== "AT_TRIM_HORIZON" || shard.parents.length === 0) &&
        (filter !== "AT_LATEST" || shard.last === null),
    );
    return { Shards: shown.map(described) };
  },
  SplitShard(request) {
    const stream = named(request);
    const shard = shardOf(stream, request.ShardToSplit);
    const middle = BigInt(request.NewStartingHashKey);
    close(shard);
    addShard(stream, shard.from, middle - 1n, [shard.id]);
    addShard(stream, middle, shard.to, [shard.id]);
    return {};
  },
  MergeShards(request) {
    const stream = named(request);
    const parents = [request.ShardToMerge, request.AdjacentShardToMerge];
    const [one, other] = parents.map((id) => shardOf(stream, id));
    close(one);
    close(other);
    const [from, to] = one.from < other.from ? [one.from, other.to] : [other.from, one.to];
    addShard(stream, from, to, parents);
    return {};
  },
  PutRecord: (request) => put(named(request), request),
  PutRecords(request) {
    const stream = named(request);
    return { FailedRecordCount: 0, Records: request.Records.map((entry) => put(stream, entry)) };
  },
  GetShardIterator(request) {
    const stream = named(request);
    const shard = shardOf(stream, request.ShardId);
    return { ShardIterator: `${stream.name}/${shard.id}/${startOf(shard, request)}` };
  },
  GetRecords(request) {
    const [name, id, start] = request.ShardIterator.split("/");
    const stream = named({ StreamName: name });
    const shard = shardOf(stream, id);
    const end = Math.min(Number(start) + (request.Limit ?? 10000), shard.records.length);
    const answer = {
      Records: shard.records.slice(Number(start), end).map((record) => record.shown),
      MillisBehindLatest: shard.records.length - end,
    };
    if (shard.last === null || end < shard.records.length) {
      answer.NextShardIterator = `${name}/${id}/${end}`;
    } else {
      answer.ChildShards = stream.shards
        .filter((one) => one.parents.includes(id))
        .map((one) => {
          const { HashKeyRange } = described(one);
          return { ShardId: one.id, ParentShards: one.parents, HashKeyRange };
        });
    }
    return answer;
  },
};

function answered(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    calls += 1;
    let status = 200;
    let body;
    try {
      const operation = (request.headers["x-amz-target"] ?? "").split(".").pop();
      if (!(operation in operations)) {
        throw new Refused("UnknownOperationException", `no ${operation} here`);
      }
      body = operations[operation](JSON.parse(Buffer.concat(parts).toString() || "{}"));
    } catch (error) {
      status = error instanceof Refused ? 400 : 500;
      body = { __type: error.type ?? "InternalFailure", message: String(error.message) };
      if (status === 500) process.stderr.write(`${error.stack}\n`);
    }
    const text = JSON.stringify(body);
    response.writeHead(status, {
      "content-type": "application/x-amz-json-1.1",
      "content-length": Buffer.byteLength(text),
      "x-amzn-requestid": `request-${calls}`,
    });
    response.end(text);
  });
}

const one = http.createServer(answered).listen(0, "127.0.0.1", () => {
  const two = http2.createServer(answered).listen(0, "127.0.0.1", () => {
    const ports = { http1: one.address().port, http2: two.address().port };
    process.stdout.write(`${JSON.stringify(ports)}\n`);
  });
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
