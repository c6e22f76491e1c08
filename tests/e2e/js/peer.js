#!/usr/bin/env node
// peer.js - client and server with @grpc/grpc-js: see ../PEERS.md.
'use strict';
const grpc = require('@grpc/grpc-js');
const readline = require('readline');

const SERVICE = 'weir.e2e.Peer';
const UNICODE = 'größer als 100 % \u2013 火\nzweite Zeile';
const OPTIONS = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
};
const NAMES = Object.fromEntries(Object.entries(grpc.status)
    .filter(([, v]) => typeof v === 'number').map(([k, v]) => [v, k]));

const same = (b) => b;
const definition = {};
for (const [name, requestStream, responseStream] of [
  ['Unary', false, false], ['Sleep', false, false], ['Stats', false, false], ['Nope', false, false],
  ['Collect', true, false], ['Produce', false, true], ['Chat', true, true]]) {
  definition[name] = {
    path: `/${SERVICE}/${name}`, requestStream, responseStream,
    requestSerialize: same, requestDeserialize: same,
    responseSerialize: same, responseDeserialize: same,
  };
}

function payload(seq, size) {
  const b = Buffer.alloc(Math.max(size, 8), seq & 255);
  b.write(String(seq).padStart(8, '0'), 0, 'latin1');
  return b.subarray(0, size);
}
const isPayload = (seq, data) => payload(seq, data.length).equals(data);

// ---- server

const stats = {open: 0};

function track(call) {
  stats.open++;
  let over = false;
  const end = () => {
    stats.open -= over ? 0 : 1;
    over = true;
  };
  call.on('cancelled', end);
  return end;
}

function failure(call) {
  const code = call.metadata.get('x-fail')[0];
  if (code === undefined) return null;
  const text = call.metadata.get('x-fail-message-bin')[0] || Buffer.alloc(0);
  return {code: Number(code), details: text.toString('utf8')};
}

function echoed(call) {
  const md = new grpc.Metadata();
  let any = false;
  for (const key of ['x-echo', 'x-echo-bin'])
    for (const value of call.metadata.get(key)) {
      md.add(key, value);
      any = true;
    }
  return any ? md : null;
}

const implementation = {
  Unary(call, done) {
    const end = track(call), md = echoed(call), bad = failure(call);
    end();
    if (bad) return done({...bad, metadata: md || undefined});
    if (md) call.sendMetadata(md);
    done(null, call.request, md || undefined);
  },
  Sleep(call) {
    track(call);
  },
  Stats(call, done) {
    done(null, Buffer.from(JSON.stringify(stats)));
  },
  Collect(call, done) {
    const end = track(call);
    let n = 0, size = 0;
    call.on('data', (m) => {
      if (!isPayload(n, m)) call.emit('error', {code: grpc.status.DATA_LOSS, details: `message ${n}`});
      n++;
      size += m.length;
    });
    call.on('end', () => {
      end();
      done(null, Buffer.from(`${n} ${size}`));
    });
  },
  async Produce(call) {
    const end = track(call);
    const [count, size] = call.request.toString().split(' ').map(Number);
    for (let i = 0; i < count; i++)
      if (!call.write(payload(i, size))) await new Promise((r) => call.once('drain', r));
    const bad = failure(call);
    if (bad) {
      end();
      call.emit('error', bad);
    } else if (!call.metadata.get('x-wait').length) {
      end();
      call.end();
    }
  },
  Chat(call) {
    const end = track(call);
    let n = 0;
    call.on('data', (m) => {
      if (!isPayload(n, m)) call.emit('error', {code: grpc.status.DATA_LOSS, details: `message ${n}`});
      n++;
      if (!call.write(m)) {
        call.pause();
        call.once('drain', () => call.resume());
      }
    });
    call.on('end', () => {
      end();
      call.end();
    });
    call.on('error', () => {});
  },
};

function serve(port) {
  const server = new grpc.Server(OPTIONS);
  const {Nope, ...served} = definition;
  server.addService(served, implementation);
  server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (err) => {
    if (err) {
      console.error(err.message);
      process.exit(1);
    }
    console.log(JSON.stringify({ready: true}));
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

// ---- client

let counts = {}, held = [], client, gzipClient, target;

function count(method) {
  return counts[method] ||= {started: 0, sent: 0, received: 0, sent_bytes: 0, received_bytes: 0, status: {}};
}
function sends(method, data) {
  const c = count(method);
  c.sent++;
  c.sent_bytes += data.length + 5;
  return data;
}
function gets(method, data) {
  const c = count(method);
  c.received++;
  c.received_bytes += data.length + 5;
  return data;
}
function check(cond, why) {
  if (!cond) throw new Error(why);
}

// A call whose messages are awaited one by one. Write with say(), read with hear() (null at the end).
class Call {
  constructor(method, first, {md = new grpc.Metadata(), timeout = 60, on = client} = {}) {
    this.method = method;
    this.written = this.seen = 0;
    this.queue = [];
    this.waiting = null;
    count(method).started++;
    const options = {deadline: Date.now() + timeout * 1000};
    const d = definition[method];
    this.over = new Promise((resolve) => {
      const reply = (err, value) => {
        if (value) this.arrived(value);
        this.arrived(null);
      };
      if (d.requestStream)
        this.call = d.responseStream ? on[method](md, options) : on[method](md, options, reply);
      else
        this.call = d.responseStream ? on[method](sends(method, first), md, options) :
          on[method](sends(method, first), md, options, reply);
      this.call.on('metadata', (m) => this.initial = m);
      this.call.on('status', resolve);
      this.call.on('error', () => this.arrived(null));
      if (d.responseStream) {
        this.call.on('data', (m) => this.arrived(m));
        this.call.on('end', () => this.arrived(null));
      }
    });
  }
  arrived(m) {
    if (m) gets(this.method, m);
    this.queue.push(m);
    if (this.waiting) this.waiting();
  }
  async hear() {
    while (!this.queue.length) await new Promise((r) => this.waiting = r);
    this.waiting = null;
    return this.queue.shift();
  }
  async hearNext() {
    const m = await this.hear();
    check(m, 'the stream ended early');
    check(isPayload(this.seen, m), `message ${this.seen} is wrong`);
    this.seen++;
  }
  say(size) {
    return this.write(payload(this.written++, size));
  }
  write(data) {
    return new Promise((resolve, reject) =>
      this.call.write(sends(this.method, data), (err) => err ? reject(err) : resolve()));
  }
  async finish(want = 'OK') {
    const status = await this.over;
    const name = NAMES[status.code], c = count(this.method);
    c.status[name] = (c.status[name] || 0) + 1;
    check(name === want, `${this.method} ended with ${name}: ${status.details}, not ${want}`);
    this.status = status;
    return this;
  }
  async close() {
    this.call.end();
    while (this.seen < this.written) await this.hearNext();
    check(await this.hear() === null, 'more messages than were sent');
    return this.finish();
  }
}

async function unary(data, {method = 'Unary', want = 'OK', ...how} = {}) {
  const call = new Call(method, data, how);
  const reply = await call.hear();
  await call.finish(want);
  return [call, reply];
}

async function chat(n, size, how) {
  const call = new Call('Chat', null, how);
  for (let i = 0; i < n; i++) {
    await call.say(size(i));
    await call.hearNext();
  }
  return call;
}

const scenarios = {
  async unary() {
    const sizes = [0, 1, 8, 100, 4091, 16379, 16384, 65536, 300000];
    for (const size of [...sizes, ...sizes, ...sizes]) {
      const data = payload(size, size);
      const [, reply] = await unary(data);
      check(reply.equals(data), `echo of ${size} bytes differs`);
    }
  },
  async collect({n = 300, ...how} = {}) {
    const call = new Call('Collect', null, how);
    let size = 0;
    for (let i = 0; i < n; i++) {
      size += 8 + i * 7 % 900;
      await call.say(8 + i * 7 % 900);
    }
    call.call.end();
    check((await call.hear()).toString() === `${n} ${size}`, 'the server collected something else');
    await call.finish();
  },
  async produce({n = 1000, size = 100, want = 'OK', ...how} = {}) {
    const call = new Call('Produce', Buffer.from(`${n} ${size}`), how);
    for (let i = 0; i < n; i++) await call.hearNext();
    check(await call.hear() === null, 'more messages than asked for');
    return call.finish(want);
  },
  async chat_lockstep({n = 150, ...how} = {}) {
    await (await chat(n, (i) => 8 + i, how)).close();
  },
  async chat_pipelined({n = 2000} = {}) {
    const call = new Call('Chat');
    const listening = (async () => {
      for (let i = 0; i < n; i++) await call.hearNext();
    })();
    for (let i = 0; i < n; i++) await call.say(8 + i % 300);
    call.call.end();
    await listening;
    await call.close();
  },
  async metadata() {
    const binary = Buffer.concat(Array(4).fill(Buffer.from([...Array(256).keys()])));
    const md = new grpc.Metadata();
    const want = {'x-echo': ['plain text', 'second'], 'x-echo-bin': [binary, Buffer.alloc(0), Buffer.from([0])]};
    for (const [key, values] of Object.entries(want)) for (const v of values) md.add(key, v);
    const [call] = await unary(Buffer.from('m'), {md});
    for (const where of [call.initial, call.status.metadata])
      for (const [key, values] of Object.entries(want)) {
        let got = where.get(key), expected = values;
        // One list or several fields: the same (RFC 9110 5.3), and some peers join.
        if (key === 'x-echo') [got, expected] = [got.join(', '), expected.join(', ')];
        check(JSON.stringify(got) === JSON.stringify(expected), `${key} came back as ${JSON.stringify(got)}`);
      }
  },
  async large() {
    const data = payload(7, 16000000);
    const [, reply] = await unary(data);
    check(reply.equals(data), 'echo of 16 MB differs');
    await (await chat(2, () => 16000000)).close();
  },
  async cancel({n = 10} = {}) {
    for (let i = 0; i < n; i++) {
      const call = await chat(i + 1, () => 50);
      call.call.cancel();
      await call.finish('CANCELLED');
    }
  },
  async deadline() {
    await unary(Buffer.from('zzz'), {method: 'Sleep', want: 'DEADLINE_EXCEEDED', timeout: 0.3});
  },
  async compression() {
    const data = payload(1, 200000);
    gzipClient ||= newClient({'grpc.default_compression_algorithm': 2});
    const how = {on: gzipClient};
    const [, reply] = await unary(data, how);
    check(reply.equals(data), 'echo differs');
    await scenarios.collect({n: 100, ...how});
    await scenarios.chat_lockstep({n: 20, ...how});
    for (const c of Object.values(counts)) c.sent_bytes = null;
  },
  async errors() {
    for (let code = 1; code <= 16; code++) {
      const md = new grpc.Metadata();
      md.set('x-fail', String(code));
      md.set('x-fail-message-bin', Buffer.from(UNICODE));
      const want = NAMES[code];
      const [call] = await unary(Buffer.from('e'), {want, md});
      check(call.status.details === UNICODE, `details are ${call.status.details}`);
      const stream = await scenarios.produce({n: 3, size: 20, want, md});
      check(stream.status.details === UNICODE, `details are ${stream.status.details}`);
    }
    await unary(Buffer.from('x'), {method: 'Nope', want: 'UNIMPLEMENTED'});
  },
  async hold_open() {
    for (let i = 0; i < 5; i++) held.push(await chat(7 + i, () => 100 * i + 8));
    const collect = new Call('Collect');
    for (let i = 0; i < 11; i++) await collect.say(30);
    held.push(collect);
    const md = new grpc.Metadata();
    md.set('x-wait', '1');
    const produce = new Call('Produce', Buffer.from('13 40'), {md});
    for (let i = 0; i < 13; i++) await produce.hearNext();
    held.push(produce);
  },
  async hold_close() {
    for (const call of held) {
      if (call.method === 'Chat') {
        await call.close();
      } else if (call.method === 'Collect') {
        call.call.end();
        check((await call.hear()).toString() === '11 330', 'collected something else');
        await call.finish();
      } else {
        call.call.cancel();
        await call.finish('CANCELLED');
      }
    }
    held = [];
  },
  async many_open({n = 1000} = {}) {
    held = await Promise.all(Array.from({length: n}, () => chat(1, () => 64)));
  },
  async many_close() {
    await Promise.all(held.map(async (call) => {
      await call.say(64);
      await call.hearNext();
      await call.close();
    }));
    held = [];
  },
};

function newClient(more) {
  const Client = grpc.makeGenericClientConstructor(definition, SERVICE);
  return new Client(target, grpc.credentials.createInsecure(),
      {...OPTIONS, 'grpc.use_local_subchannel_pool': 1, ...more});
}

async function runClient() {
  client = newClient();
  for await (const line of readline.createInterface({input: process.stdin})) {
    const {do: name, ...args} = JSON.parse(line);
    counts = {};
    let answer;
    try {
      await scenarios[name](args);
      answer = {ok: true, counts};
    } catch (e) {
      answer = {ok: false, error: String(e && e.message || e)};
    }
    console.log(JSON.stringify(answer));
  }
  process.exit(0);
}

if (process.argv[2] === 'server') {
  serve(process.argv[3]);
} else {
  target = process.argv[3];
  runClient();
}
