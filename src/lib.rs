//! Partner Zones: share Kafka topics with outside partners from a Git repository.
//!
//! # The map
//!
//! A Git repository holds one YAML file per partner. The controller reads it, plans and applies; the gateway lets each
//! partner's ordinary Kafka client see exactly the shared topics under their alias names.
//!
//! | ring | module | what it is |
//! |---|---|---|
//! | pure | [`zone`] | the domain: names, permissions, a zone, its credentials |
//! | pure | [`sasl`] | mechanisms and SCRAM's key derivation, for those who prove and those who check |
//! | pure | [`policy`] | decisions over immutable values: views, authorisation, synthetic ids, patterns, verifiers |
//! | pure | [`secret`] | text that cannot be formatted or serialised |
//! | pure | [`client_files`] | what a partner's client is set up with |
//! | wire | [`manifest`] | YAML ⇄ zone, with findings; the JSON Schema |
//! | wire | [`http`] | what requests to other servers have in common |
//! | wire | [`issuer`] | what an issuer of tokens publishes |
//! | wire | [`kafka`] | shapes, the walker over frames, typed messages behind it, records, broker connections, TLS |
//! | I/O | [`store`] | the state, its one writer, heartbeats, audit, usage |
//! | I/O | [`gateway`] | the data plane: listeners, sessions, one file per API key |
//! | I/O | [`reconcile`] | the control plane: source → plan → guards → apply |
//! | I/O | [`api`] | REST: health, zones, credentials, keys |
//! | I/O | [`ui`] | pages, over the REST API that they ask |
//! | top | [`app`] | configuration and wiring of the roles; owner of all tasks |
//! | top | [`cli`] | the command line |
//! | tests | `fuzzing` | what holds whatever the bytes, for the fuzzer and for the tests |
//!
//! # Direction of imports (enforced by `tests/it/architecture.rs`)
//!
//! ```text
//! main → cli → app → { gateway, reconcile, api, ui }        siblings never import each other; cli may use any ring below
//! gateway → http, issuer, kafka, policy, sasl, secret, zone        reconcile → manifest, store, http, kafka, policy, sasl, secret, zone
//! api → store, http, issuer, manifest, policy, sasl, secret, zone        issuer → http, kafka, policy
//! ui → client_files, sasl, secret        client_files → sasl
//! store → manifest, zone               manifest → zone        policy → sasl, secret, zone     kafka → sasl, secret
//! zone → sasl                           fuzzing → gateway, kafka, manifest, sasl
//! ```
//!
//! # Invariants
//!
//! 1. `zone` and `policy` have no async fn, no clock, no I/O. Time is a parameter.
//! 2. Only `kafka` and `gateway` name `kafka_protocol` types.
//! 3. Text becomes values at the edges only (`manifest`, `store` rows, `api` bodies, `app::config`). A zone has one written
//!    form, the manifest's: in Git, in the state topic, in a plan and over REST.
//! 4. The gateway never parses YAML, never calls Git, never waits for the controller: it reads a `watch` of immutable
//!    values, once per request, and maps each response with the view that its request was mapped with.
//! 5. A request whose (key, version) is not in the gateway's registry is refused; ApiVersions is
//!    answered from registry ∩ broker, and from the registry alone for what the gateway itself answers.
//! 6. `kafka_protocol` decodes nothing that the walker has not accepted first: its decoders allocate what the wire asks for.
//! 7. A bad commit never reaches the gateway; an error, an empty answer or an unreadable file never deletes.
//! 8. Every task has an owner (`TaskTracker` + `CancellationToken`) and ends at shutdown.
//! 9. A `Secret<T>` cannot be formatted or serialised.
//!
//! # Where this differs from the first design
//!
//! * Partners are served by threads of their own, one for each processor with an event loop of its own, and not by the runtime
//!   that the rest of the process shares ([`gateway`], `workers`): half of a small request's cost was one thread waking another.
//! * A shutdown lets go of connections over some seconds, each at a moment of its own: a client that loses all of them at once tells
//!   its application, even if the next gateway takes it back at once.
//! * A fetch by name of several topics is asked of the broker for 8 MiB at most: its response is held as a whole, since aliases change its
//!   length, and the partner asks again for the rest. One topic by name passes as it arrives, as ids do.
//! * A tagged field that no shape knows passes in neither direction, not only `nodeEndpoints`: it keeps its size and becomes
//!   a field of zeros that no peer knows ([`kafka::stream`], [`kafka::codec`]). What one peer understands and we do not could name a topic.
//! * `api` makes and checks credentials with `policy`'s verifiers: hashing is pure, and the gateway checks with the same code.
//! * `store` and `api` use `manifest` for the written form of a zone, instead of a second set of row types (invariant 3).
//! * A renewed lease is a transaction that ends with `revision` too, with the sequence unchanged: it changes no zone, so no node
//!   has to serve anything new. A renewal republishes the state all the same; compare `sequence` to tell.
//! * A deleted zone takes its credentials with it. A record of a later schema version makes the state unfit (the last
//!   snapshot stays, marked stale), since ignoring it would read it as absent; only unknown kinds of records are ignored.
//! * Guards count topics beside zones: an update that takes every topic away, or points it elsewhere, is no way around them. Whoever
//!   renames all zones deletes all zones; a single one may be renamed. A changed cluster id holds everything back, and is settled by
//!   giving the new cluster a name of its own in the configuration.
//! * A plan's digest is over the files' tree, the names of the zones in force and the changes, not over the whole of every zone in force: a
//!   change holds what it touches as it was, and what none touches is what the tree asks for.
//! * With `--base`, guards are those of the base's configuration, where it lies in the same work tree.
//! * Usage in heartbeats counts clients (network and client id), not connections, and what a connection has once used until it closes.
//! * A guard refuses all deletions of a run, or all updates, never a part of them; creations go ahead. The applied revision is
//!   recorded only when the state reflects it in full, so a run that was held back is a change again next time, not drift.
//! * A zone that names a gateway or a cluster which this installation does not have is an error in its file, and more: a new one
//!   is kept, FAILED and served by nobody, so that whoever waits for it sees why. One in force stays as it was.
//! * A zone never gets the service account or a backing group of one that stays as it was: it waits, with an error, until that
//!   one is settled.
//! * Group protocol bytes of type `consumer` that do not parse are refused (INCONSISTENT_GROUP_PROTOCOL) instead of passed on:
//!   in a group with members of the new protocol the broker answers for the names in them, and it reads more than we do.
//! * A member of the new protocol that a connection does not know is asked for a complete heartbeat with NOT_COORDINATOR: Java and
//!   librdkafka find the same coordinator again and say everything, with their partitions kept. So is one whose assignment has
//!   to be shown under other ids, since a broker repeats an assignment only to a complete heartbeat.
//! * A backing group (`spec.consumerGroups`) is one zone's alone whatever its cluster, and none with a zone's prefix in front
//!   (`name:`), whether there is such a zone or not: one could come.
//! * A zone whose name can be no host name is a warning in SNI mode, not an error: it is reached by port, and turning SNI on takes no
//!   partner away. Beside `.`, `_` and length that is a dash at either end, `b<id>-…` (it would read as a broker of another
//!   zone), and the name that would make `gateway.advertisedHost`.
//! * Features are shown before the login too, the least of what all clusters have switched on (the first design had none there): a
//!   client that asks once, as franz-go does, would never learn of them.
//! * A repeated login has to be of the same zone and mechanism, not of the same credential: a secret can be rotated on a live
//!   connection. A session ends with its credential as it is then, and brokers are logged in to again at 80 to 90 % of a session.
//! * Tokens are verified with `ring` alone, the one crypto library here: the crates for them bring another one, and take the time from
//!   the system. What is ours is the compact form, the choice of the key and the claims, which are pure ([`policy::token`]).
//! * A service account belongs to one zone whatever its issuer, which is stricter than one issuer and subject per zone: a zone can change
//!   its issuer, or its type, without a look at others. A session ends at its token's `exp`; only who is let in after that, within the
//!   clock skew, has the skew. A token without `kid` is refused, since the issuer's choice of keys could not be followed.
//! * Where the cluster names a broker as controller that partners cannot reach, another one is named, not none: admin clients
//!   would wait for it, and through the gateway they change nothing anyway.
//! * The leader of an empty store takes an API key that it finds in `http.bootstrapKeyFile`, if only its owner can read it: a
//!   process that was killed between the file and the commit left it there.
//! * `apply` asks the leader for a run instead of making one itself: there is one writer, and it reads the source. So it has no `--zones`
//!   and no `--ref`; `rollback` applies another commit. The plan that it shows is made where it is typed, against the leader's state;
//!   `--expect-plan` binds the leader to it.
//! * With the source suspended the controller stays at the revision in force only while the source does: it never goes back to it, which
//!   could undo what a held-back revision has changed already.
//! * A zone that keeps drifting is suspended by the controller, as an operator would: it shows everywhere, and outlives the leader.
//! * Zones are committed in one transaction, so a gateway never sees a rename, or a revision, in part. Widening first and narrowing last is
//!   about the backing clusters: rights are given before the commit, and taken once every live gateway serves it ([`reconcile::backing`]).
//! * Hidden files and folders (`.github`) of a source are not read, so that `source.path: .` works.
//! * https to a Git server is spoken by our own client under libgit2, and ssh goes through a relay in this process: libgit2's
//!   timeouts are for each read, its authorities for the whole process, and a server that trickles before the pack would hold a
//!   fetch for ever. So no child process is needed to be killed, and a reading that is given up ends at once.
//! * Environments are sets of paths in the configuration, one of which is chosen; nothing is guessed from folders or labels.
//! * Trailers count from every commit since the one in force, of all parents: what a pull request's head is allowed, its merge is
//!   allowed too. Where the head does not follow what is in force, its own trailers count alone. What they let
//!   pass in a run that did not get everything done counts against their number in the next (record `spent/<commit>`).
//! * A commit that an operator accepted lets in what follows it only until what is in force follows it as well.
//! * Commits are checked for SSH signatures only: OpenPGP would add a fifth to the build, and its rules of expiry and subkeys are
//!   ours to get wrong. Another kind of signature is held like none.
//! * Each commit says which store it belongs to, which ones that goes on from, and how many zones and credentials there are
//!   ([`store`], `continuity`): by sequence alone a store that was made anew overtakes the one that was lost, and empties every node.
//! * `state import` is no request to the leader: it is needed when nobody can lead. It fences whoever leads, writes one commit, and ends; the
//!   fenced leader goes on from it. It only adds, and never to a store with credentials unless told to.
//! * A controller that must not lead (its version is older than the state, or the state is unfit for it) leaves the leader group for
//!   a while, so that one that can is given the lead. A lease or a group membership that it kept would leave nobody leading.
//! * A store topic with fewer copies than the default is a warning: a cluster that grew must not stop its nodes from starting.
//!   Fewer than a configured `stateReplicationFactor` are refused.
//! * Telemetry is answered here, with none, but advertised only where the cluster has it: librdkafka asks late, and the answer that
//!   it leaves unread made its own kernel reset the connection, with unacknowledged records (acks=0) still on their way.
//! * What is refused over the wire is advertised in every version we read, whatever the broker serves: nothing of it reaches one.
//! * A topic's settings are shown from a closed list, and a group's configuration not at all (a zone's own principal may not
//!   describe it either). Offsets of a topic need READ, where a broker is content with DESCRIBE.
//! * A severity belongs to a code, not to a place in the source: `docs/findings.md` can promise it, and only codes that are no errors
//!   can be suppressed in a file.
//! * ACLs and SCRAM users are administered over our own broker connection, not through librdkafka's C calls ([`kafka::admin`]): its
//!   list of users ends at 10 000, and a refused one makes it free memory that is not its own.
//! * A share that is not open is served without credentials: nobody logs in, and whoever is connected goes, as after a revocation. On
//!   its cluster rights are there before it begins, so that they are not late, and end with it at the next run.
//! * A credential that was rotated is not rotated again: what is asked for twice would shorten its life without a word. Its last use
//!   is kept to ten minutes: a record for each login would be most of the state's traffic.
//! * The authorities of a zone's client certificates are in its manifest as they are (`authenticationMode.ca`), not a path on the gateway, and so
//!   are the fingerprints of those taken back: certificates are public, and both change with a commit. The handshake trusts the authorities
//!   of all zones together; the login holds the chain against those of the one zone that the subject names, and again whenever
//!   they change.
//! * Tickets of TLS sessions are worth nothing once the trusted authorities are others: a client that nobody had asked for a certificate
//!   would resume without one for ever.
//! * The service account of a zone for certificates may be a whole subject, with commas and spaces.
//! * Mapping rules are refused where Kafka's and ours could tell a subject differently, a group that is not there too: a broker takes
//!   `$4` for text, or fails at the login.
//! * What is given on a cluster counts once every broker that lives shows it, not one of them; what is taken away counts once the
//!   cluster has accepted it.
//! * Back-off for guessing holds back refusals only, and for a second at most. Whoever guesses shares an address with honest clients behind
//!   a balancer, and a name with whom it wants locked out; and a secret of 32 random bytes needs no protection by time.
//! * A balancer's PROXY header is never optional: needed from the addresses that are configured for it, and the end of a connection from
//!   any other. One that may be missing is one that a client can write itself.
//! * Whoever was given a password on a cluster logs in with it on every broker that lives before it counts. The controller does that
//!   and not the gateways: it knows what it wrote, once for all nodes, and before the zone is served. Where no password was written,
//!   nobody logs in: it has been proved.
//! * What takes the gateway's own checks away, for the tests of the second lock, is a gateway that passes bytes and reads none: the
//!   broker gets all that a partner can say, not only names that stay as they are. No release has it (`debug_assertions`), and no
//!   configuration reaches it.
//! * A zone's password has no generation that is counted: the state says of each of its two SCRAM slots which master key it is made of,
//!   by a name that follows from the key, and which slot is in force. The old slot is written anew not at once but when the old key is
//!   no longer configured: until then connections of before may renew their logins by it. No password changes that a gateway which
//!   lives could not follow (heartbeats name the keys of each node), so the order of restarts does not matter.
//! * `isolation: principal` is the default where a master key is configured, and nothing else decides it: what a cluster lets be done
//!   at the moment could change, and would then take the second lock away. A cluster that does not let it be done keeps its new zones
//!   waiting (PZ0410) until somebody writes `isolation: shared`; and without that word no zone that has a principal is served as
//!   anybody else, should the key be missing.
//! * A share `from: latest` begins at offsets that are written down (record `replay/<zone>`), not at a time: many records carry the time of
//!   what they tell, and by it they would come before the share or after it. Fetches of a topic with a window stay outside of fetch
//!   sessions, whose requests do not say how far the partner is.
//! * What stands behind a whole batch, and is not there to its end, does not pass to a partner whose zone removes headers: nobody can say what
//!   it holds. Clients drop it anyway. And a fetch that meets a batch which cannot be read first brings what is in front of it.
//! * Templates and patterns of headers are parsed in [`zone`], which the manifest may use, and so is what Java and `regex` read alike.
//! * Of a zone whose login is in a file the state remembers nothing: nothing is made that would have to be known as ours, and a login is
//!   proved anew by each leader. So only the leader says how its second lock is. Such a zone is looked at anew in each run, without the
//!   growing wait of a failed try: a file that comes is noticed at the next poll.
//! * That a user from a file may do no more than its zone cannot be seen without administering the cluster. What is asked, as that user, is
//!   the worst of it: whether it reaches the state ([`reconcile::data_plane`] asks the same of the gateways' own login).
//! * `dataPlane` has no `security.protocol` of its own: it is another login at the same listener.
//! * A commit beyond `limitCommitOffset` succeeds and holds the connection back; it is refused only where seconds would not be enough. librdkafka
//!   shows an error after three tries, and few who use it expect one. A limit is divided among nodes by what they say they need, with no
//!   one who decides, so it is exact to some per cent and some seconds behind a change ([`policy::traffic`]).
//! * There is a fourth topic, for usage ([`store::ledger`]): in heartbeats it would be gone with its node, and in the state each figure would make
//!   a new snapshot for every node. Each gateway writes its own records of it, with all that it counted so far, so nobody has to lead
//!   and nothing counts twice; the leader adds up those of processes that are no more. What a write that nobody acknowledged has brought is
//!   not counted again: a statement never has more than was used.
//! * A principal on a backing cluster is ours if the state says so, which is written before it is made; or, with the state lost, if
//!   its credentials have the rounds that only the master key gives. A prefix alone would take over what somebody else made.
//! * A write that a guard would hold back is refused before it is committed: what nobody may apply yet has no place on the branch that is
//!   followed. A proposal may hold it, since whoever merges it decides. A rollback that is in force refuses writes for the same reason.
//! * To create a zone again just as it is, is no error, so that creations need no idempotency key. One for a credential decides its key id:
//!   nobody has to remember requests, and a new leader knows them as well ([`api`], `idempotency`).
//! * A zone's entity tag names its written form alone. A write is held against the form in the source, not the one in force, which may be older.
//! * `apply` without files asks for a run, as before; `apply -f` writes zones to the source.
//! * A commit to a repository on this machine is not a push: libgit2's replaces a ref whatever it has become since, and runs no hooks. Objects are
//!   written into it and the ref is moved if it still is where it was read; a repository with hooks that could refuse is refused.
//! * The OpenAPI document is made of the table of paths and of `schemars`, which makes the manifest's schema, not with utoipa: a row without a
//!   description does not compile, and the tests hold every answer that they see against it.
//! * An owner's pattern is a backing topic's name or the beginning of names (Kafka's literal and prefixed patterns), on every cluster. Owners
//!   write zones that share nothing else, but map no groups: a group has offsets of whatever topics.
//! * A partner's key rotates and revokes the zone's credentials and issues none: what the provider revoked stays revoked.
//! * `GET /api/v1/plan` is the plan of the last run, with the run; a plan of what is about to be written comes with the (dry) write.
//! * `zone test` takes the partner's file as `--command-config`, as Kafka's tools do: `--config` is this program's own.
//! * The pages import nothing of `api`: they are given its router, and ask it in this process as any client would, in the name of whoever
//!   is signed in ([`ui`], `rest`). So roles, whitelists and the way to the leader have one place, and a page cannot do more than REST.
//! * A browser's session is a sealed text that names an API key and holds none ([`api`], `session`): nodes with the same master key
//!   take each other's, and no list of sessions has to be kept, but of those that were ended before their time (record `ended-session/<id>`).
//! * A proposal's branch is named after what is in it: who asks again, since no answer came, finds the one that there is. Idempotency keys
//!   are for credentials, whose answer nobody can be given twice.
//! * Whether a zone's principal may do more than its ACLs say is asked as that principal, beside what the ACLs are compared with: only the
//!   brokers know `allow.everyone.if.no.acl.found` and `super.users`. It is said in `SecondLock` and stops no zone.
//! * With a consume limit a connection has one Fetch under way: what it takes is known with its answer, and many at once would pass before
//!   the first is charged. To charge what a Fetch asks for beforehand would hold back those who wait for records that do not come.
//! * A zone that is filled in on a page travels in the form from step to step, and nothing of it is kept here. What is right is asked of the API, by
//!   a dry run before each next step, and said at the fields: a form has no rules of its own. A zone called `new` has no page,
//!   since that is where one is made; its other pages are there, and so is REST.
//! * People sign in with `oauth2` for the flow, and their ID tokens are verified as all tokens are ([`policy::token`]): `openidconnect` brings
//!   a second crypto library, and in it an `rsa` with an advisory that has no mended version. A person's session holds which value of
//!   their claims gave them a role, not the role: what that is here is the configuration's to say, each time.
//! * The log-in that Console's command line asks for gives back the key itself: there is no session to lose.

pub mod api;
pub mod app;
pub mod cli;
pub mod client_files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gateway;
pub mod http;
pub mod issuer;
pub mod kafka;
pub mod manifest;
pub mod policy;
pub mod reconcile;
pub mod sasl;
pub mod secret;
pub mod store;
pub mod ui;
pub mod zone;
