//! Idempotency keys of HTTP requests, and the answers that they replay.

use rusqlite::{Row, named_params};

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;

use super::error::Error;
use super::view::{Tx, View};

/// What a repeated HTTP request is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// For which tenant.
    pub tenant: TenantId,
    /// Who sent it.
    pub principal: Handle,
    /// The method and route it was sent to.
    pub route: String,
    /// The value of the `Idempotency-Key` header.
    pub key: String,
}

/// An HTTP request that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyEntry {
    /// What it is recognised by.
    pub key: IdempotencyKey,
    /// HMAC-SHA-256 of its body, to tell a repetition from another use of the key.
    pub body_hmac: [u8; 32],
    /// The signing request that it made.
    pub request: Option<Handle>,
    /// When it came.
    pub created_at: Timestamp,
    /// How often its client had sent it before, for one that says so and sends no idempotency key.
    pub retry: Option<u32>,
}

/// An HTTP answer, to be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Content-Type.
    pub content_type: Option<String>,
    /// Location.
    pub location: Option<String>,
    /// Body.
    pub body: Vec<u8>,
}

impl View {
    /// The HTTP request that was seen with this key, and its answer unless it is still worked on.
    pub fn idempotency_entry(
        &self,
        key: &IdempotencyKey,
    ) -> Result<Option<(IdempotencyEntry, Option<Answer>)>, Error> {
        self.optional(
            "SELECT * FROM idempotency WHERE tenant = ?1 AND principal = ?2 AND route = ?3 AND key = ?4",
            (key.tenant, key.principal, &key.route, &key.key),
            |row| Ok((entry(row)?, answer(row)?)),
        )
    }

    /// The newest HTTP request of that route, principal and body that came at `since` or later and had been sent
    /// less than `retry` times before, if it made a signing request.
    pub fn earlier_try(
        &self,
        key: &IdempotencyKey,
        body_hmac: &[u8; 32],
        retry: u32,
        since: Timestamp,
    ) -> Result<Option<IdempotencyEntry>, Error> {
        self.optional(EARLIER_TRY, (key.tenant, key.principal, &key.route, body_hmac, since, retry), entry)
    }
}

const EARLIER_TRY: &str = "SELECT * FROM idempotency
     WHERE tenant = ?1 AND principal = ?2 AND route = ?3 AND body_hmac = ?4 AND created_at >= ?5 AND retry < ?6
     ORDER BY created_at DESC LIMIT 1";

impl Tx {
    /// Enters an HTTP request that is worked on.
    ///
    /// # Errors
    /// `Conflict` when its key was used before.
    pub fn insert_idempotency(&self, entry: &IdempotencyEntry) -> Result<(), Error> {
        self.execute(
            "INSERT INTO idempotency (tenant, principal, route, key, body_hmac, request, created_at, retry)
             VALUES (:tenant, :principal, :route, :key, :body_hmac, :request, :created_at, :retry)",
            named_params! {
                ":tenant": entry.key.tenant,
                ":principal": entry.key.principal,
                ":route": entry.key.route,
                ":key": entry.key.key,
                ":body_hmac": entry.body_hmac,
                ":request": entry.request,
                ":created_at": entry.created_at,
                ":retry": entry.retry,
            },
        )?;
        Ok(())
    }

    /// Keeps what was answered to an HTTP request that was entered.
    pub fn store_answer(&self, key: &IdempotencyKey, answer: &Answer) -> Result<(), Error> {
        self.change_row(
            "UPDATE idempotency
             SET status = :status, content_type = :content_type, location = :location, body = :body
             WHERE tenant = :tenant AND principal = :principal AND route = :route AND key = :key",
            named_params! {
                ":tenant": key.tenant,
                ":principal": key.principal,
                ":route": key.route,
                ":key": key.key,
                ":status": answer.status,
                ":content_type": answer.content_type,
                ":location": answer.location,
                ":body": answer.body,
            },
            "idempotency key",
        )
    }

    /// Forgets the HTTP requests that came before that time; answers how many.
    pub fn purge_idempotency(&self, before: Timestamp) -> Result<usize, Error> {
        self.execute("DELETE FROM idempotency WHERE created_at < ?1", [before])
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<IdempotencyEntry> {
    Ok(IdempotencyEntry {
        key: IdempotencyKey {
            tenant: row.get("tenant")?,
            principal: row.get("principal")?,
            route: row.get("route")?,
            key: row.get("key")?,
        },
        body_hmac: row.get("body_hmac")?,
        request: row.get("request")?,
        created_at: row.get("created_at")?,
        retry: row.get("retry")?,
    })
}

fn answer(row: &Row<'_>) -> rusqlite::Result<Option<Answer>> {
    let Some(status) = row.get("status")? else { return Ok(None) };
    Ok(Some(Answer {
        status,
        content_type: row.get("content_type")?,
        location: row.get("location")?,
        body: row.get("body")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, at, conflict, handle, principal, request};
    use crate::store::{Kind, Unique};

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey {
            tenant: TenantId::DEFAULT,
            principal: principal(1).handle,
            route: "POST /v1/requests".into(),
            key: text.into(),
        }
    }

    fn entry(text: &str, millis: i64) -> IdempotencyEntry {
        IdempotencyEntry {
            key: key(text),
            body_hmac: [3; 32],
            request: Some(handle(1)),
            created_at: at(millis),
            retry: None,
        }
    }

    async fn store_with(entries: Vec<IdempotencyEntry>) -> TestStore {
        let store = TestStore::with_principal();
        store
            .write(move |tx| {
                tx.insert_signing_request(&request(1), &[])?;
                entries.iter().try_for_each(|entry| tx.insert_idempotency(entry))
            })
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn an_answer_is_kept_with_the_http_request_it_answers() {
        let store = store_with(vec![entry("a", 1)]).await;
        let found = store.read(|view| view.idempotency_entry(&key("a"))).await.unwrap();
        assert_eq!(found, Some((entry("a", 1), None)));

        let answers = [
            Answer { status: 202, content_type: None, location: Some("/v1/requests/1".into()), body: vec![] },
            Answer {
                status: 201,
                content_type: Some("application/json".into()),
                location: None,
                body: vec![7],
            },
        ];
        for answer in answers {
            let stored = answer.clone();
            store.write(move |tx| tx.store_answer(&key("a"), &stored)).await.unwrap();
            let found = store.read(|view| view.idempotency_entry(&key("a"))).await.unwrap();
            assert_eq!(found, Some((entry("a", 1), Some(answer))));
        }

        let unknown = Answer { status: 200, content_type: None, location: None, body: vec![] };
        let error = store.write(move |tx| tx.store_answer(&key("b"), &unknown)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Bug);
    }

    #[tokio::test]
    async fn a_key_is_used_once_by_a_principal_on_a_route_of_a_tenant() {
        let store = store_with(vec![entry("a", 1)]).await;
        let error = store.write(|tx| tx.insert_idempotency(&entry("a", 2))).await.unwrap_err();
        assert_eq!(conflict(&error), Unique::IdempotencyKey);

        let mut elsewhere = entry("a", 2);
        elsewhere.key.route = "POST /v1/keys".into();
        store.write(move |tx| tx.insert_idempotency(&elsewhere)).await.unwrap();
        let mut of_another = entry("a", 2);
        of_another.key.tenant = TenantId(2);
        store
            .write(move |tx| {
                tx.insert_tenant("another", at(1))?;
                tx.insert_idempotency(&of_another)
            })
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn old_ones_are_forgotten() {
        let store = store_with(vec![entry("a", 1), entry("b", 2), entry("c", 3)]).await;
        assert_eq!(store.write(|tx| tx.purge_idempotency(at(3))).await.unwrap(), 2);
        let left = store.read(|view| {
            Ok(["a", "b", "c"].map(|text| view.idempotency_entry(&key(text)).map(|entry| entry.is_some())))
        });
        assert_eq!(left.await.unwrap().map(Result::unwrap), [false, false, true]);
    }
}
