//! What the negative probes of a token found, and who let it in all the same.

use crate::domain::probe::{Acceptance, Verdict};

use super::columns::Json;
use super::error::Error;
use super::view::{Tx, View};

impl View {
    /// The last verdict on a token, by its configured name.
    pub fn token_verdict(&self, token: &str) -> Result<Option<Verdict>, Error> {
        self.optional("SELECT at, binding, leaks FROM token_verdicts WHERE token = ?1", [token], |row| {
            let (Json(binding), Json(leaks)) = (row.get("binding")?, row.get("leaks")?);
            Ok(Verdict { at: row.get("at")?, binding, leaks })
        })
    }

    /// Who let a token in although it leaks. It may be for another verdict than the last.
    pub fn token_acceptance(&self, token: &str) -> Result<Option<Acceptance>, Error> {
        self.optional("SELECT * FROM token_acceptances WHERE token = ?1", [token], |row| {
            let (Json(binding), Json(leaks)) = (row.get("binding")?, row.get("leaks")?);
            Ok(Acceptance {
                by: row.get("principal")?,
                at: row.get("at")?,
                reason: row.get("reason")?,
                binding,
                leaks,
            })
        })
    }
}

impl Tx {
    /// Keeps a verdict in place of the one before it.
    pub fn put_token_verdict(&self, token: &str, verdict: &Verdict) -> Result<(), Error> {
        self.execute(
            "INSERT INTO token_verdicts (token, at, binding, leaks) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (token) DO UPDATE
             SET at = excluded.at, binding = excluded.binding, leaks = excluded.leaks",
            (token, verdict.at, Json(&verdict.binding), Json(&verdict.leaks)),
        )?;
        Ok(())
    }

    /// Keeps an acceptance in place of the one before it.
    pub fn put_token_acceptance(&self, token: &str, acceptance: &Acceptance) -> Result<(), Error> {
        self.execute(
            "INSERT INTO token_acceptances (token, principal, at, reason, binding, leaks)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (token) DO UPDATE
             SET principal = excluded.principal, at = excluded.at, reason = excluded.reason,
                 binding = excluded.binding, leaks = excluded.leaks",
            (
                token,
                acceptance.by,
                acceptance.at,
                &acceptance.reason,
                Json(&acceptance.binding),
                Json(&acceptance.leaks),
            ),
        )?;
        Ok(())
    }

    /// Takes an acceptance back. Answers whether there was one.
    pub fn remove_token_acceptance(&self, token: &str) -> Result<bool, Error> {
        Ok(self.execute("DELETE FROM token_acceptances WHERE token = ?1", [token])? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::algorithm::KeyType;
    use crate::domain::probe::{Binding, Leak};
    use crate::store::testing::{TestStore, at, principal};

    fn verdict(millis: i64, leaks: &[&str]) -> Verdict {
        let leak = |call: &&str| Leak {
            kind: "ec-p256".parse().unwrap(),
            call: (*call).to_owned(),
            what: "returned the key".to_owned(),
        };
        Verdict {
            at: crate::domain::clock::Timestamp::from_millis(millis),
            binding: Binding {
                module_sha256: "00".to_owned(),
                library_version: "1.0".to_owned(),
                firmware: "2.0".to_owned(),
                serial: "3".to_owned(),
                init_args_sha256: Some("44".to_owned()),
                key_types: [KeyType::Ec, KeyType::Rsa].into(),
            },
            leaks: leaks.iter().map(leak).collect(),
        }
    }

    #[tokio::test]
    async fn the_last_verdict_is_the_one_that_is_kept() {
        let store = TestStore::new();
        for kept in [verdict(1, &[]), verdict(2, &["C_WrapKey"])] {
            let put = kept.clone();
            store.write(move |tx| tx.put_token_verdict("token", &put)).await.unwrap();
            assert_eq!(store.read(|view| view.token_verdict("token")).await.unwrap(), Some(kept));
        }
        assert_eq!(store.read(|view| view.token_verdict("another")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_acceptance_is_there_until_it_is_taken_back() {
        let store = TestStore::new();
        let of = verdict(1, &["C_WrapKey"]);
        let acceptance = Acceptance {
            by: principal(1).handle,
            at: at(3),
            reason: "a laboratory".to_owned(),
            binding: of.binding,
            leaks: of.leaks,
        };
        let put = acceptance.clone();
        let by = principal(1);
        store
            .write(move |tx| {
                tx.insert_principal(&by)?;
                tx.put_token_acceptance("token", &put)
            })
            .await
            .unwrap();
        assert_eq!(store.read(|view| view.token_acceptance("token")).await.unwrap(), Some(acceptance));
        assert!(store.write(|tx| tx.remove_token_acceptance("token")).await.unwrap());
        assert!(!store.write(|tx| tx.remove_token_acceptance("token")).await.unwrap());
        assert_eq!(store.read(|view| view.token_acceptance("token")).await.unwrap(), None);
    }
}
