//! What is to be told by webhook: an outbox. A notice is written in the transaction of what it tells
//! of, with a delivery for each webhook that wants to know; it goes when the last delivery is done.

use rusqlite::named_params;

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::webhook::{LONGEST_PAUSE, Notice, Topic};

use super::columns::{Json, saturated};
use super::error::Error;
use super::view::{Tx, View};

/// A notice on its way to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What is told.
    pub notice: Notice,
    /// Name of its tenant.
    pub tenant: Option<String>,
    /// Attempts that failed.
    pub attempts: u32,
}

impl View {
    /// Whether any webhook wants to know.
    pub fn is_subscribed(&self, topic: Topic) -> Result<bool, Error> {
        let found =
            self.optional("SELECT 1 FROM webhook_subscriptions WHERE topic = ?1 LIMIT 1", [topic], |_| {
                Ok(())
            })?;
        Ok(found.is_some())
    }

    /// What a webhook should be sent now, the longest due first. What is due later than any pause is
    /// long was put off by a clock that has been set back since.
    pub fn due_deliveries(
        &self,
        webhook: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, Error> {
        let mut due = Vec::new();
        for (from, until) in [
            (Timestamp::from_millis(i64::MIN), now),
            (now.plus_millis(2 * LONGEST_PAUSE), Timestamp::from_millis(i64::MAX)),
        ] {
            let range = (webhook, from, until, saturated(limit));
            due.extend(self.all(DUE, range, |row| {
                let Json(data) = row.get("data")?;
                Ok(Delivery {
                    notice: Notice {
                        id: row.get("id")?,
                        topic: row.get("topic")?,
                        subject: row.get("subject")?,
                        tenant: row.get("tenant")?,
                        at: row.get("at")?,
                        data,
                    },
                    tenant: row.get("tenant_name")?,
                    attempts: row.get("attempts")?,
                })
            })?);
        }
        Ok(due)
    }
}

const DUE: &str = "SELECT n.*, t.name AS tenant_name, d.attempts FROM webhook_deliveries d
                   JOIN webhook_notices n ON n.id = d.notice LEFT JOIN tenants t ON t.id = n.tenant
                   WHERE d.webhook = ?1 AND d.due_at >= ?2 AND d.due_at <= ?3
                   ORDER BY d.due_at, d.notice LIMIT ?4";

impl Tx {
    /// Says which webhooks there are and what they want to know from now on; drops what is on its way
    /// to others.
    pub fn set_webhook_subscriptions(&self, webhooks: &[(String, Vec<Topic>)]) -> Result<(), Error> {
        self.execute("DELETE FROM webhook_subscriptions", [])?;
        for (webhook, topics) in webhooks {
            for topic in topics {
                self.execute(
                    "INSERT INTO webhook_subscriptions (topic, webhook) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    (topic, webhook),
                )?;
            }
        }
        self.execute(
            "DELETE FROM webhook_deliveries
             WHERE webhook NOT IN (SELECT webhook FROM webhook_subscriptions)",
            [],
        )?;
        self.execute(
            "DELETE FROM webhook_notices WHERE id NOT IN (SELECT notice FROM webhook_deliveries)",
            [],
        )?;
        Ok(())
    }

    /// Has a notice told to every webhook that wants to know; to none, nothing is written.
    pub fn tell(&self, notice: &Notice) -> Result<(), Error> {
        if !self.is_subscribed(notice.topic)? {
            return Ok(());
        }
        self.execute(
            "INSERT INTO webhook_notices (id, topic, subject, tenant, at, data)
             VALUES (:id, :topic, :subject, :tenant, :at, :data)",
            named_params! {
                ":id": notice.id,
                ":topic": notice.topic,
                ":subject": notice.subject,
                ":tenant": notice.tenant,
                ":at": notice.at,
                ":data": Json(&notice.data),
            },
        )?;
        self.execute(
            "INSERT INTO webhook_deliveries (webhook, notice, attempts, due_at)
             SELECT webhook, ?1, 0, ?2 FROM webhook_subscriptions WHERE topic = ?3",
            (notice.id, notice.at, notice.topic),
        )?;
        Ok(())
    }

    /// Ends a delivery: it arrived, or was given up.
    pub fn delivered(&self, webhook: &str, notice: Handle) -> Result<(), Error> {
        self.execute("DELETE FROM webhook_deliveries WHERE webhook = ?1 AND notice = ?2", (webhook, notice))?;
        self.execute(
            "DELETE FROM webhook_notices
             WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries WHERE notice = ?1)",
            [notice],
        )?;
        Ok(())
    }

    /// Puts a delivery off.
    pub fn postpone_delivery(
        &self,
        webhook: &str,
        notice: Handle,
        attempts: u32,
        due_at: Timestamp,
    ) -> Result<(), Error> {
        self.change_row(
            "UPDATE webhook_deliveries SET attempts = ?3, due_at = ?4 WHERE webhook = ?1 AND notice = ?2",
            (webhook, notice, attempts, due_at),
            "delivery",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::TenantId;
    use crate::store::testing::{TestStore, at, handle};

    fn notice(n: u64, topic: Topic) -> Notice {
        Notice {
            id: handle(n),
            topic,
            subject: format!("subject {n}"),
            tenant: Some(TenantId::DEFAULT),
            at: at(n),
            data: serde_json::json!({ "n": n }),
        }
    }

    fn subscriptions(names: &[(&str, &[Topic])]) -> Vec<(String, Vec<Topic>)> {
        names.iter().map(|(name, topics)| ((*name).to_owned(), topics.to_vec())).collect()
    }

    async fn due(store: &TestStore, webhook: &'static str, now: i64) -> Vec<(Handle, u32)> {
        let due = store.read(move |view| view.due_deliveries(webhook, at(now), 10)).await.unwrap();
        due.into_iter().map(|delivery| (delivery.notice.id, delivery.attempts)).collect()
    }

    #[tokio::test]
    async fn a_notice_goes_to_those_who_want_it_and_is_forgotten_when_all_have_it() {
        let store = TestStore::new();
        let both = [Topic::TokenDown, Topic::TokenUp];
        store
            .write(move |tx| {
                tx.set_webhook_subscriptions(&subscriptions(&[("a", &both), ("b", &both[..1])]))?;
                tx.tell(&notice(1, Topic::TokenDown))?;
                tx.tell(&notice(2, Topic::TokenUp))?;
                tx.tell(&notice(3, Topic::ApprovalWaiting))
            })
            .await
            .unwrap();
        let first = store.read(|view| view.due_deliveries("a", at(10), 10)).await.unwrap().remove(0);
        assert_eq!(first.notice, notice(1, Topic::TokenDown));
        assert_eq!(first.tenant.as_deref(), Some("default"));
        assert_eq!(due(&store, "a", 10).await, [(handle(1), 0), (handle(2), 0)]);
        assert_eq!(due(&store, "b", 10).await, [(handle(1), 0)]);
        let notices = |store: &TestStore| -> i64 {
            let connection = store.connection();
            connection.query_row("SELECT count(*) FROM webhook_notices", [], |row| row.get(0)).unwrap()
        };
        store.write(|tx| tx.delivered("a", handle(1))).await.unwrap();
        assert_eq!(notices(&store), 2, "the other webhook has not got it yet");
        store.write(|tx| tx.delivered("b", handle(1))).await.unwrap();
        assert_eq!(notices(&store), 1);
        store.write(|tx| tx.set_webhook_subscriptions(&[])).await.unwrap();
        assert_eq!(notices(&store), 0, "nobody is left to be told");
    }

    #[tokio::test]
    async fn what_is_put_off_comes_back_in_its_time_or_when_the_clock_was_set_back() {
        let store = TestStore::new();
        let next = 1_000 + LONGEST_PAUSE;
        store
            .write(move |tx| {
                tx.set_webhook_subscriptions(&subscriptions(&[("a", &[Topic::TokenDown])]))?;
                tx.tell(&notice(1, Topic::TokenDown))?;
                tx.postpone_delivery("a", handle(1), 4, at(next))
            })
            .await
            .unwrap();
        assert_eq!(due(&store, "a", next - 1).await, []);
        assert_eq!(due(&store, "a", next).await, [(handle(1), 4)]);
        assert_eq!(due(&store, "a", next - 3 * LONGEST_PAUSE).await, [(handle(1), 4)]);
    }

    #[test]
    fn what_is_due_is_found_by_an_index() {
        let plan = TestStore::new().plan(DUE);
        assert!(plan[0].contains("webhook_deliveries_due (webhook=? AND due_at>?"), "{plan:?}");
        assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:?}");
    }
}
