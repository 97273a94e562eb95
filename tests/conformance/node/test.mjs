// Node's etcd3 client against the server that ENDPOINT names.
import assert from 'node:assert/strict';
import test, { after, beforeEach } from 'node:test';
import { Etcd3, EtcdLockFailedError, isRecoverableError } from 'etcd3';

const client = new Etcd3({ hosts: process.env.ENDPOINT });
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

beforeEach(() => client.delete().all());
after(() => client.close());

test('put, get, delete', async () => {
  await client.put('a').value('1');
  await client.put('ab').value('2');
  assert.equal(await client.get('a').string(), '1');
  assert.deepEqual(await client.getAll().prefix('a').strings(), { a: '1', ab: '2' });
  assert.deepEqual(await client.getAll().prefix('a').sort('Key', 'Descend').limit(1).keys(), ['ab']);
  assert.equal(await client.getAll().prefix('a').count(), 2);
  assert.equal((await client.delete().key('a').exec()).deleted, '1');
  assert.equal(await client.get('a').string(), null);
});

test('revisions', async () => {
  const first = await client.put('r').value('1');
  await client.put('r').value('2');
  assert.equal(await client.get('r').revision(first.header.revision).string(), '1');
  await assert.rejects(client.get('r').revision(99999999).string(), /future revision/);
});

test('transactions', async () => {
  const put = (value) => client.if('t', 'Create', '==', 0).then(client.put('t').value(value)).else(client.get('t')).commit();
  assert.equal((await put('1')).succeeded, true);
  const second = await put('2');
  assert.equal(second.succeeded, false);
  assert.equal(second.responses[0].response_range.kvs[0].value.toString(), '1');
});

test('watch', async () => {
  const watcher = await client.watch().prefix('w/').create();
  const seen = [];
  watcher.on('put', (pair) => seen.push(`put ${pair.key} ${pair.value}`));
  watcher.on('delete', (pair) => seen.push(`delete ${pair.key}`));
  await client.put('w/1').value('x');
  await client.delete().key('w/1');
  for (let wait = 0; seen.length < 2 && wait < 100; wait++) await pause(20);
  assert.deepEqual(seen, ['put w/1 x', 'delete w/1']);
  await watcher.cancel();
});

test('watch from a revision', async () => {
  const first = await client.put('h').value('1');
  await client.put('h').value('2');
  const watcher = await client.watch().key('h').startRevision(first.header.revision).create();
  const seen = [];
  watcher.on('put', (pair) => seen.push(pair.value.toString()));
  for (let wait = 0; seen.length < 2 && wait < 100; wait++) await pause(20);
  assert.deepEqual(seen, ['1', '2']);
  await watcher.cancel();
});

test('leases', async () => {
  const lease = client.lease(10);
  await lease.put('leased').value('1');
  const id = await lease.grant();
  const left = await client.leaseClient.leaseTimeToLive({ ID: id, keys: true });
  assert.equal(left.grantedTTL, '10');
  assert.deepEqual(left.keys.map(String), ['leased']);
  await lease.keepaliveOnce();
  await lease.revoke();
  assert.equal(await client.get('leased').string(), null);
});

test('locks', async () => {
  const lock = client.lock('door');
  await lock.acquire();
  await assert.rejects(client.lock('door').acquire(), EtcdLockFailedError);
  await lock.release();
  await client.lock('door').do(async () => {});
});

test('election', async () => {
  const one = client.election('chair', 5).campaign('one');
  await new Promise((done) => one.once('elected', done));
  const observer = await client.election('chair').observe();
  for (let wait = 0; observer.leader() !== 'one' && wait < 100; wait++) await pause(20);
  assert.equal(observer.leader(), 'one');
  await observer.cancel();
  await one.resign();
});

test('software transactional memory', async () => {
  await client.put('sum').value('0');
  const add = () => client.stm({ retries: 50 }).transact(async (tx) => {
    await tx.put('sum').value(String(Number(await tx.get('sum').string()) + 1));
  });
  await Promise.all(Array.from({ length: 8 }, add));
  assert.equal(await client.get('sum').string(), '8');
});

test('errors', async () => {
  await assert.rejects(client.put('e').value('x').lease('12345'), (error) => {
    assert.match(error.message, /requested lease not found/);
    assert.equal(isRecoverableError(error), false);
    return true;
  });
});

test('status and members', async () => {
  const status = await client.maintenance.status();
  assert.notEqual(status.dbSize, '0');
  assert.equal(status.leader, status.header.member_id);
  assert.equal((await client.cluster.memberList({})).members.length, 1);
});
