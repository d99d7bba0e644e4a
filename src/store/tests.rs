//! The store as its callers see it.

use std::fs;
use std::path::Path;
use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use super::testing::{TestStore, at, event, handle, key, principal, request};
use super::{Error, Kind, Store, jobs};
use crate::domain::access::TenantId;
use crate::domain::audit::{Actor, verify_chain};

/// Keeps the writer busy until the sender is dropped; answers once it is. The task ends after that.
async fn occupy_writer(store: &Store) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (open_gate, gate) = mpsc::channel::<()>();
    let (started, has_started) = oneshot::channel();
    let store = store.clone();
    let occupier = tokio::spawn(async move {
        let occupied: Result<(), Error> = store
            .write(move |_| {
                started.send(()).unwrap();
                // An error: the sender was dropped.
                let _ = gate.recv();
                Ok(())
            })
            .await;
        occupied.unwrap();
    });
    has_started.await.unwrap();
    (open_gate, occupier)
}

/// How many commits are in a write-ahead log: frames whose field for the size of the database after
/// a commit is not zero (https://sqlite.org/fileformat2.html, section 4.1).
fn commits(database: &Path) -> usize {
    let log = fs::read(format!("{}-wal", database.display())).unwrap();
    let page_size = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    let salt = &log[16..24];
    log[32..]
        .chunks_exact(24 + page_size)
        .take_while(|frame| &frame[8..16] == salt)
        .filter(|frame| frame[4..8] != [0; 4])
        .count()
}

#[tokio::test]
async fn concurrent_writers_share_a_commit_and_each_has_its_own_result() {
    let store = TestStore::new();
    let before = commits(&store.path());
    let (open_gate, _) = occupy_writer(&store).await;
    let mut writers = JoinSet::new();
    for n in 1..=32_u64 {
        let store = Store::clone(&store);
        writers.spawn(async move {
            let written: Result<u64, Error> = store
                .write(move |tx| {
                    tx.append_audit(&Actor::System, at(n), &event(&n.to_string()))?;
                    Ok(n)
                })
                .await;
            (n, written.unwrap())
        });
    }
    // Tasks of this runtime run in the order in which they were spawned: all writers wait by then.
    writers.spawn(async move {
        drop(open_gate);
        (0, 0)
    });
    while let Some(result) = writers.join_next().await {
        let (sent, received) = result.unwrap();
        assert_eq!(sent, received);
    }
    assert_eq!(commits(&store.path()) - before, 1);
    let records = store.read(|view| view.audit_records(0, 100)).await.unwrap();
    assert_eq!(records.len(), 32);
    verify_chain(records).unwrap();
}

#[tokio::test]
async fn a_full_queue_is_told_and_not_waited_for() {
    let store = TestStore::new();
    let (open_gate, _) = occupy_writer(&store).await;
    let mut waiting = JoinSet::new();
    for _ in 0..jobs::QUEUE_LENGTH {
        let store = Store::clone(&store);
        waiting.spawn(async move { store.write(|_| Ok::<(), Error>(())).await });
    }
    let one_more = Store::clone(&store);
    let refused = tokio::spawn(async move { one_more.write(|_| Ok::<(), Error>(())).await });
    assert_eq!(refused.await.unwrap().unwrap_err().kind(), Kind::Busy);
    drop(open_gate);
    while let Some(result) = waiting.join_next().await {
        result.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_its_callers_error_and_nobody_elses() {
    let store = TestStore::with_principal();
    let written = store.write(|_| -> Result<(), Error> { panic!("on purpose") }).await;
    assert_eq!(written.unwrap_err().kind(), Kind::Bug);
    // More often than there are readers: none of them died of it.
    for _ in 0..=super::READERS {
        let read = store.read(|_| -> Result<(), Error> { panic!("on purpose") }).await;
        assert_eq!(read.unwrap_err().kind(), Kind::Bug);
    }
    store.write(|tx| tx.insert_key(&key(1))).await.unwrap();
    assert!(store.read(|view| view.key(handle(1))).await.unwrap().is_some());
}

#[tokio::test]
async fn a_transaction_reads_what_it_wrote() {
    let store = TestStore::new();
    let found = store.write(|tx| {
        tx.insert_principal(&principal(1))?;
        tx.principal_by_name("principal 1")
    });
    assert_eq!(found.await.unwrap(), Some(principal(1)));
}

#[tokio::test]
async fn errors_of_the_caller_pass_through() {
    #[derive(Debug)]
    enum Refused {
        ByPolicy,
        ByStore,
    }
    impl From<Error> for Refused {
        fn from(_: Error) -> Self {
            Self::ByStore
        }
    }
    let store = TestStore::with_principal();
    let own = Store::write(&store, |tx| -> Result<(), Refused> {
        tx.insert_signing_request(&request(1), &[])?;
        Err(Refused::ByPolicy)
    });
    assert!(matches!(own.await, Err(Refused::ByPolicy)));
    assert_eq!(store.read(|view| view.signing_request(handle(1))).await.unwrap(), None);
    let ours = Store::write(&store, |tx| -> Result<(), Refused> { Ok(tx.insert_principal(&principal(1))?) });
    assert!(matches!(ours.await, Err(Refused::ByStore)));
}

#[tokio::test]
async fn reopening_keeps_everything() {
    let store = TestStore::with_principal();
    store
        .write(|tx| {
            tx.insert_key(&key(2))?;
            tx.insert_signing_request(&request(1), &["www.example".into()])?;
            tx.append_audit(&Actor::System, at(1), &event("it"))
        })
        .await
        .unwrap();
    let contents = |view: &super::View| {
        let filter = super::RequestFilter {
            name_prefix: Some("www".into()),
            ..super::RequestFilter::of(TenantId::DEFAULT)
        };
        Ok((
            view.key(handle(2))?,
            view.page_of_signing_requests(&filter, super::Order::NewestFirst, None, 10)?,
            view.audit_records(0, 10)?,
        ))
    };
    let before = store.read(contents).await.unwrap();
    assert_eq!(before.1.items, [request(1)]);
    let (installation, instance_key) = (store.installation(), *store.instance_key());
    let store = store.reopened();
    assert_eq!(store.read(contents).await.unwrap(), before);
    assert_eq!((store.installation(), *store.instance_key()), (installation, instance_key));
}

#[tokio::test]
async fn accepted_work_is_done_though_its_caller_is_gone_and_the_store_dropped() {
    let store = TestStore::new();
    let (open_gate, occupier) = occupy_writer(&store).await;
    let clone = Store::clone(&store);
    let abandoned = tokio::spawn(async move { clone.write(|tx| tx.insert_key(&key(1))).await });
    tokio::task::yield_now().await;
    abandoned.abort();
    assert!(abandoned.await.unwrap_err().is_cancelled());
    drop(open_gate);
    // Its clone of the store has to go, too, for the drop to be the last one.
    occupier.await.unwrap();
    let store = store.reopened();
    assert!(store.read(|view| view.key(handle(1))).await.unwrap().is_some());
}

#[tokio::test]
async fn the_last_clone_may_be_dropped_on_the_writers_own_thread() {
    let store = TestStore::new();
    let (open_gate, gate) = mpsc::channel::<()>();
    let (dropped, was_dropped) = oneshot::channel();
    let (outer, inner) = (Store::clone(&store), Store::clone(&store));
    let caller = tokio::spawn(async move {
        outer
            .write(move |_| {
                let _ = gate.recv();
                drop(inner);
                dropped.send(()).unwrap();
                Ok::<(), Error>(())
            })
            .await
    });
    tokio::task::yield_now().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    drop(store);
    drop(open_gate);
    was_dropped.await.unwrap();
}
