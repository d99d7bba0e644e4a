//! Three books that must agree: what clients were told, what the index says, and what a program
//! that is not ours finds on the token.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use strongroom::domain::access::TenantId;
use strongroom::domain::audit::{self, Record};
use strongroom::domain::id::{Handle, InstallationId};
use strongroom::store::{self, Order, RequestFilter, Store};

use crate::harness::{Appliance, Reply, Service, TokenObject, p256};

/// Whether, and how, the client of a create comes back for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follower {
    Nobody,
    /// With the same Idempotency-Key, which is the common name.
    Repeating,
    /// With a 202 in his hand.
    Later,
}

impl Follower {
    pub const ALL: [Self; 3] = [Self::Nobody, Self::Repeating, Self::Later];
}

/// What the clients were told.
#[derive(Default)]
pub struct Ledger(Mutex<BTreeMap<String, Promise>>);

/// The last thing that a client knows of a signing request.
#[derive(Clone, Debug, PartialEq)]
enum Promise {
    /// 201: the CSR, and the handle of its key.
    Made {
        csr: Value,
        key: Value,
    },
    /// 202: it will be made.
    Accepted,
    /// A cancellation was sent and not answered.
    Cancelling,
    Cancelled,
}

impl Ledger {
    /// Sends a create for a new key. `Err`: the connection broke, the client knows nothing.
    pub fn create(
        &self,
        service: &Service,
        common_name: &str,
        follower: Follower,
    ) -> Result<Reply, ureq::Error> {
        let header = match follower {
            Follower::Nobody => None,
            Follower::Repeating => Some(("idempotency-key", common_name)),
            Follower::Later => Some(("prefer", "respond-async")),
        };
        self.post(service, header, &p256(common_name))
    }

    /// Sends a create for a key that is there.
    pub fn renew(&self, service: &Service, key: &Value, common_name: &str) -> Result<Reply, ureq::Error> {
        let mut body = p256(common_name);
        body["key"] = serde_json::json!({ "handle": key });
        self.post(service, None, &body)
    }

    fn post(
        &self,
        service: &Service,
        header: Option<(&str, &str)>,
        body: &Value,
    ) -> Result<Reply, ureq::Error> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(header);
        let reply = service.try_request("POST", "/csrs", &headers, Some(body.to_string().as_bytes()))?;
        let promise = match reply.status {
            201 => made(&reply.json()),
            202 => Promise::Accepted,
            _ => return Ok(reply),
        };
        self.note(handle_of(&reply.json()), promise);
        Ok(reply)
    }

    /// Sends a cancellation.
    pub fn cancel(&self, service: &Service, handle: &str) -> Result<Reply, ureq::Error> {
        self.note(handle.to_owned(), Promise::Cancelling);
        let reply = service.try_request("DELETE", &format!("/csrs/{handle}"), &[], None)?;
        if reply.status == 200 {
            self.note(handle.to_owned(), Promise::Cancelled);
        }
        Ok(reply)
    }

    fn note(&self, handle: String, promise: Promise) {
        self.0.lock().unwrap().insert(handle, promise);
    }

    /// R1: what was answered 2xx is there, as it was answered, with its key on the token.
    #[track_caller]
    pub fn assert_kept(&self, appliance: &Appliance, service: &Service) {
        let books = Books::open(appliance, service);
        for (handle, promise) in self.0.lock().unwrap().iter() {
            let csr = service.get(&format!("/csrs/{handle}")).expect(200).json();
            let status = csr["status"].as_str().unwrap();
            match promise {
                Promise::Made { csr: pem, key } => {
                    assert_eq!((status, &csr["csr"], &csr["key"]["handle"]), ("pending", pem, key), "{csr}");
                    assert!(books.has_whole_key(key), "the key of {csr} is not on the token");
                }
                Promise::Accepted => {
                    assert!(["intent", "generated", "pending"].contains(&status), "lost: {csr}");
                }
                Promise::Cancelling => assert!(["pending", "cancelled"].contains(&status), "{csr}"),
                Promise::Cancelled => assert_eq!(status, "cancelled", "{csr}"),
            }
        }
    }

    /// R1 and R2: within a minute nothing is unfinished, what was promised is made, and every object
    /// on the token is accounted for.
    #[track_caller]
    pub fn await_agreement(&self, appliance: &Appliance, service: &Service) {
        let mut last = Vec::new();
        service.await_that("index and token agree", || {
            let found = Books::open(appliance, service).disagreements();
            if found != last {
                eprintln!("the books disagree: {found:#?}");
                last = found;
            }
            last.is_empty()
        });
        for (handle, promise) in self.0.lock().unwrap().iter_mut() {
            if *promise == Promise::Accepted {
                let csr = service.get(&format!("/csrs/{handle}")).expect(200).json();
                assert_eq!(csr["status"], "pending", "accepted and not made: {csr}");
                *promise = made(&csr);
            }
        }
        self.assert_kept(appliance, service);
    }
}

fn made(csr: &Value) -> Promise {
    assert!(csr["csr"].is_string() && csr["key"]["handle"].is_string(), "{csr}");
    Promise::Made { csr: csr["csr"].clone(), key: csr["key"]["handle"].clone() }
}

pub fn handle_of(csr: &Value) -> String {
    csr["handle"].as_str().unwrap().to_owned()
}

/// The states of all signing requests for a common name, oldest first.
pub fn states_of(service: &Service, common_name: &str) -> Vec<String> {
    let items = pages(service, &format!("/csrs?order=oldest&name={common_name}&limit=200"));
    items.iter().map(|csr| csr["status"].as_str().unwrap().to_owned()).collect()
}

/// What the last reconciliation of the token found.
pub fn inventory(service: &Service) -> Value {
    service.get("/tokens").json()["items"][0]["inventory"].clone()
}

/// Items of all pages; `path` has a query.
pub fn pages(service: &Service, path: &str) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = service.get(&format!("{path}{cursor}")).expect(200).json();
        items.extend_from_slice(page["items"].as_array().unwrap());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// The index and the token, as they are now.
struct Books {
    keys: Vec<Value>,
    unfinished: Vec<Value>,
    inventory: Value,
    objects: Vec<TokenObject>,
}

impl Books {
    fn open(appliance: &Appliance, service: &Service) -> Self {
        let unfinished = pages(service, "/csrs?status=intent,generated&limit=200");
        let keys = pages(service, "/keys?limit=200");
        Self { keys, unfinished, inventory: inventory(service), objects: appliance.objects() }
    }

    fn has_whole_key(&self, handle: &Value) -> bool {
        let key = self.keys.iter().find(|key| key["handle"] == *handle);
        key.is_some_and(|key| self.halves(key) == (1, 1))
    }

    /// How many private and public objects of a key there are.
    fn halves(&self, key: &Value) -> (usize, usize) {
        let count = |private| {
            let of_key = |object: &&TokenObject| {
                object.private == private && !object.certificate && key["id"] == object.id
            };
            self.objects.iter().filter(of_key).count()
        };
        (count(true), count(false))
    }

    fn disagreements(&self) -> Vec<String> {
        let mut found: Vec<_> = self.unfinished.iter().map(|csr| format!("unfinished: {csr}")).collect();
        let mut owned = BTreeSet::new();
        for key in &self.keys {
            let expected = match key["state"].as_str().unwrap() {
                "present" | "recovered" | "quarantined" => (1, 1),
                "destroyed" => (0, 0),
                _ => {
                    found.push(format!("neither kept nor gone: {key}"));
                    continue;
                }
            };
            owned.extend(key["id"].as_str().filter(|_| expected == (1, 1)));
            if self.halves(key) != expected {
                found.push(format!("{:?} objects, not {expected:?}: {key}", self.halves(key)));
            }
        }
        let (nameless, named): (Vec<_>, Vec<_>) =
            self.objects.iter().partition(|object| object.id.is_empty() && object.label.is_empty());
        let strays = named.iter().filter(|object| !owned.contains(object.id.as_str()));
        found.extend(strays.map(|object| format!("unaccounted: {object:?}")));
        if self.inventory["nameless"] != nameless.len() {
            found.push(format!("{} nameless objects; inventory: {}", nameless.len(), self.inventory));
        }
        if !adds_up(&self.inventory) {
            found.push(format!("the counts do not add up: {}", self.inventory));
        }
        found
    }
}

/// Whether every object is in exactly one of the inventory's counts.
fn adds_up(inventory: &Value) -> bool {
    let count = |name: &str| inventory[name].as_u64().unwrap();
    let counted = ["owned", "in_progress", "destroyed", "recovered", "quarantined", "nameless", "foreign"];
    count("objects") == counted.into_iter().map(count).sum::<u64>()
}

/// The audit records of a service that does not run. The chain must hold, and the last record
/// about each signing request, and about each key, must be of the state that its row has.
#[track_caller]
pub fn audit_of(appliance: &Appliance) -> Vec<Record> {
    let copy = tempfile::tempdir().unwrap();
    for name in ["strongroom.db", "strongroom.db-wal"] {
        let original = appliance.data(name);
        if original.exists() {
            fs::copy(original, copy.path().join(name)).unwrap();
        }
    }
    let (records, states) = read_index(&copy.path().join("strongroom.db"));
    audit::verify_chain(records.clone()).unwrap();
    for (handle, state) in states {
        let last = records
            .iter()
            // An enrolment leaves the state as it was.
            .filter(|record| record.action != "signing-request.enrolled")
            .rfind(|record| record.subject == handle && record.outcome == "done")
            .map(|record| &record.action);
        assert_eq!(last, Some(&format!("signing-request.{state}")), "of {handle}");
    }
    for (handle, state) in key_states(&copy.path().join("strongroom.db")) {
        // What is done with a key and leaves its state on the token as it was.
        let beside = ["certificate-written", "certificate-removed", "retired", "unretired", "compromised"];
        let of_state = |record: &&Record| {
            let action = record.action.strip_prefix("key.");
            record.subject == handle
                && record.outcome == "done"
                && !action.is_some_and(|action| beside.contains(&action))
        };
        let last = records.iter().rfind(of_state).and_then(|record| record.action.strip_prefix("key."));
        let agrees = match state.as_str() {
            "present" => [None, Some("sentinel-made"), Some("back")].contains(&last),
            "recovered" => [Some("recovered"), Some("back")].contains(&last),
            // Told by the record of its signing request.
            "quarantined" => true,
            state => last == Some(state),
        };
        assert!(agrees, "key {handle} is {state}, and its last record is {last:?}");
    }
    records
}

fn key_states(database: &Path) -> Vec<(String, String)> {
    let index = rusqlite::Connection::open(database).unwrap();
    let mut keys = index.prepare("SELECT handle, state FROM keys").unwrap();
    let rows = keys.query_map([], |row| Ok((Handle::from_bytes(row.get(0)?).to_string(), row.get(1)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

fn read_index(database: &Path) -> (Vec<Record>, Vec<(String, String)>) {
    let store = Store::open(database, InstallationId([0; 4]), [0; 32]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read = store.read(|view| {
        let all = RequestFilter::of(TenantId::DEFAULT);
        let requests = view.page_of_signing_requests(&all, Order::OldestFirst, None, 1_000_000)?;
        let states =
            requests.items.iter().map(|request| (request.handle.to_string(), request.state.to_string()));
        Ok::<_, store::Error>((view.audit_records(0, 1_000_000)?, states.collect()))
    });
    runtime.block_on(read).unwrap()
}
