//! The journal of certificates that are written to tokens, beside their keys.

use rusqlite::Row;

use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::key::KeyState;
use crate::domain::signing_request::State;

use super::error::Error;
use super::view::{Tx, View};

/// What the certificates on a token shall be, beside one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateIntent {
    /// The key.
    pub key: Handle,
    /// The signing request whose certificate the token shall have; `None` when it shall have none.
    pub request: Option<Handle>,
    /// When the token was last known to be so; `None` while it may not be.
    pub settled_at: Option<Timestamp>,
}

/// A certificate that was married to a request of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateBrief {
    /// The key.
    pub key: Handle,
    /// The signing request.
    pub request: Handle,
    /// Where that is in its life: `issued` or `retired`.
    pub state: State,
    /// SHA-256 of the certificate.
    pub sha256: [u8; 32],
    /// When it begins to be valid.
    pub not_before: Timestamp,
}

impl View {
    /// What is intended beside a key, if anything is.
    pub fn certificate_intent(&self, key: Handle) -> Result<Option<CertificateIntent>, Error> {
        self.optional("SELECT * FROM certificate_objects WHERE key = ?1", [key], intent)
    }

    /// What is intended beside the keys of a token.
    pub fn certificate_intents(&self, token: &str) -> Result<Vec<CertificateIntent>, Error> {
        self.all(
            "SELECT o.* FROM certificate_objects o JOIN keys k ON k.handle = o.key WHERE k.token = ?1",
            [token],
            intent,
        )
    }

    /// Every certificate that was married to a request of the key.
    pub fn certificates_of_key(&self, key: Handle) -> Result<Vec<CertificateBrief>, Error> {
        self.all(OF_KEY, [key], brief)
    }

    /// Every certificate that was married to a request of a key that is on the token.
    pub fn certificates_on_token(&self, token: &str) -> Result<Vec<CertificateBrief>, Error> {
        self.all(ON_TOKEN, (token, KeyState::Present, KeyState::Recovered), brief)
    }
}

const OF_KEY: &str = "SELECT r.key, r.handle AS request, r.state, c.sha256, c.not_before
    FROM signing_requests r JOIN certificates c ON c.request = r.handle WHERE r.key = ?1";
const ON_TOKEN: &str = "SELECT r.key, r.handle AS request, r.state, c.sha256, c.not_before
    FROM keys k JOIN signing_requests r ON r.key = k.handle JOIN certificates c ON c.request = r.handle
    WHERE k.token = ?1 AND k.state IN (?2, ?3)";

impl Tx {
    /// Journals what is intended beside a key, in place of what was.
    pub fn put_certificate_intent(&self, intent: &CertificateIntent) -> Result<(), Error> {
        self.execute(
            "INSERT INTO certificate_objects (key, request, settled_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (key) DO UPDATE SET request = excluded.request, settled_at = excluded.settled_at",
            (intent.key, intent.request, intent.settled_at),
        )?;
        Ok(())
    }

    /// Forgets what was intended beside a key: the token has no certificate of ours there.
    pub fn forget_certificate_intent(&self, key: Handle) -> Result<(), Error> {
        self.execute("DELETE FROM certificate_objects WHERE key = ?1", [key])?;
        Ok(())
    }
}

fn intent(row: &Row<'_>) -> rusqlite::Result<CertificateIntent> {
    Ok(CertificateIntent {
        key: row.get("key")?,
        request: row.get("request")?,
        settled_at: row.get("settled_at")?,
    })
}

fn brief(row: &Row<'_>) -> rusqlite::Result<CertificateBrief> {
    Ok(CertificateBrief {
        key: row.get("key")?,
        request: row.get("request")?,
        state: row.get("state")?,
        sha256: row.get("sha256")?,
        not_before: row.get("not_before")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::Key;
    use crate::domain::signing_request::SigningRequest;
    use crate::store::Certificate;
    use crate::store::testing::{TestStore, at, handle, key, request};

    fn certificate(n: u64) -> Certificate {
        Certificate {
            request: handle(n),
            leaf: vec![1],
            chain: vec![],
            sha256: [n.to_be_bytes()[7]; 32],
            not_before: at(n),
            not_after: at(1_000),
            married_at: at(10),
        }
    }

    #[tokio::test]
    async fn a_key_has_one_intent_which_is_replaced_and_forgotten() {
        let store = TestStore::with_principal();
        let intent = CertificateIntent { key: handle(50), request: Some(handle(1)), settled_at: None };
        let settled = CertificateIntent { settled_at: Some(at(9)), ..intent };
        store
            .write(move |tx| {
                tx.insert_key(&key(50))?;
                tx.insert_signing_request(&request(1), &[])?;
                tx.insert_certificate(&certificate(1))?;
                tx.put_certificate_intent(&intent)?;
                tx.put_certificate_intent(&settled)
            })
            .await
            .unwrap();
        let found =
            store.read(|view| Ok((view.certificate_intent(handle(50))?, view.certificate_intents("token")?)));
        assert_eq!(found.await.unwrap(), (Some(settled), vec![settled]));
        assert_eq!(store.read(|view| view.certificate_intents("another")).await.unwrap(), []);
        store.write(|tx| tx.forget_certificate_intent(handle(50))).await.unwrap();
        assert_eq!(store.read(|view| view.certificate_intent(handle(50))).await.unwrap(), None);
    }

    #[tokio::test]
    async fn certificates_are_those_of_the_keys_that_the_token_has() {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                tx.insert_key(&key(50))?;
                tx.insert_key(&Key { state: KeyState::Destroyed, ..key(51) })?;
                tx.insert_key(&Key { token: "another".into(), ..key(52) })?;
                for (n, key, state) in [
                    (1, 50, State::Issued),
                    (2, 50, State::Retired),
                    (3, 51, State::Retired),
                    (4, 52, State::Issued),
                ] {
                    let of_key = SigningRequest { key: Some(handle(key)), state, ..request(n) };
                    tx.insert_signing_request(&of_key, &[])?;
                    tx.insert_certificate(&certificate(n))?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let (on_token, of_key) = store
            .read(|view| Ok((view.certificates_on_token("token")?, view.certificates_of_key(handle(51))?)))
            .await
            .unwrap();
        let mut states: Vec<_> = on_token.iter().map(|brief| (brief.request, brief.state)).collect();
        states.sort_unstable_by_key(|(request, _)| *request);
        assert_eq!(states, [(handle(1), State::Issued), (handle(2), State::Retired)]);
        assert_eq!(of_key.iter().map(|brief| brief.sha256).collect::<Vec<_>>(), [[3; 32]]);
    }

    #[test]
    fn certificates_of_a_key_are_indexed() {
        let plan = TestStore::new().plan(OF_KEY);
        assert!(plan[0].contains("USING INDEX signing_requests_by_key (key=?)"), "{plan:?}");
        assert!(plan.iter().all(|line| line.starts_with("SEARCH")), "{plan:?}");
    }
}
