//! What the probe of a token found, kept until the next one.

use crate::domain::clock::Timestamp;

use super::error::Error;
use super::view::{Tx, View};

/// The last report on a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenReport {
    /// When the token was probed.
    pub at: Timestamp,
    /// What was found, as JSON text.
    pub report: String,
}

impl View {
    /// The last report on a token, by its configured name.
    pub fn token_report(&self, token: &str) -> Result<Option<TokenReport>, Error> {
        self.optional("SELECT at, report FROM token_reports WHERE token = ?1", [token], |row| {
            Ok(TokenReport { at: row.get("at")?, report: row.get("report")? })
        })
    }
}

impl Tx {
    /// Keeps a report on a token in place of the one before it.
    pub fn put_token_report(&self, token: &str, report: &TokenReport) -> Result<(), Error> {
        self.execute(
            "INSERT INTO token_reports (token, at, report) VALUES (?1, ?2, ?3)
             ON CONFLICT (token) DO UPDATE SET at = excluded.at, report = excluded.report",
            (token, report.at, &report.report),
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, at};

    #[tokio::test]
    async fn the_last_report_is_the_one_that_is_kept() {
        let store = TestStore::new();
        let report = |millis, text: &str| TokenReport { at: at(millis), report: text.into() };
        for report in [report(1, "{}"), report(2, r#"{"good":true}"#)] {
            let put = report.clone();
            store.write(move |tx| tx.put_token_report("token", &put)).await.unwrap();
            assert_eq!(store.read(|view| view.token_report("token")).await.unwrap(), Some(report));
        }
        assert_eq!(store.read(|view| view.token_report("another")).await.unwrap(), None);
    }
}
