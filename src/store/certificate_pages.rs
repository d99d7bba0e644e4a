//! Pages of certificates, by when they end; and those that end soon.

use rusqlite::ToSql;

use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::SigningRequest;

use super::certificates::Certificate;
use super::columns::saturated;
use super::error::Error;
use super::page::Page;
use super::request_pages::NameSearch;
use super::view::{Tx, View};

/// Which certificates are on a list. [`CertificateFilter::of`]: all of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFilter {
    /// Whose they are.
    pub tenant: TenantId,
    /// Of retired requests only, of issued ones only, or of both.
    pub retired: Option<bool>,
    /// That end before this.
    pub expires_before: Option<Timestamp>,
    /// That end at this or later.
    pub expires_after: Option<Timestamp>,
    /// Of requests with a common name or SAN value that begins with this text, in upper or lower case.
    pub name_prefix: Option<String>,
}

impl CertificateFilter {
    /// All of a tenant.
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant, retired: None, expires_before: None, expires_after: None, name_prefix: None }
    }
}

/// A certificate that ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiring {
    /// Its signing request.
    pub request: Handle,
    /// Whose it is.
    pub tenant: TenantId,
    /// When it ends.
    pub not_after: Timestamp,
    /// SHA-256 of its DER.
    pub sha256: [u8; 32],
}

type Place = (Timestamp, Handle);

impl View {
    /// A page of certificates with their signing requests, from `after` on: the `next` of the page
    /// before. Those that end first come first.
    pub fn page_of_certificates(
        &self,
        filter: &CertificateFilter,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<(SigningRequest, Certificate)>, Error> {
        let after = match after.map(|after| self.place_of(filter.tenant, after)).transpose()? {
            // The cursor is no certificate of this tenant's: it was never given out.
            Some(None) => return Ok(Page { items: Vec::new(), next: None }),
            Some(Some(place)) => place,
            None => (Timestamp::from_millis(i64::MIN), Handle::from_bytes([0; 16])),
        };
        let names = self.name_search(filter.tenant, filter.name_prefix.as_deref())?;
        let mut places: Vec<Place> = Vec::new();
        // Each walk is in the order of its index; one query over both would have to sort.
        for retired in [false, true] {
            if filter.retired.is_none_or(|wanted| wanted == retired) {
                places.extend(self.places(filter, retired, &names, after, limit.saturating_add(1))?);
            }
        }
        places.sort_unstable();
        let page = Page::cut(places, limit, |(_, request)| *request);
        let mut items = Vec::new();
        for (_, handle) in page.items {
            let (request, certificate) = (self.signing_request(handle)?, self.certificate(handle)?);
            items.extend(request.zip(certificate));
        }
        Ok(Page { items, next: page.next })
    }

    /// Certificates in use that end behind `from` and not behind `until`, and of which it was not yet
    /// told that so few days are left.
    pub fn expiring(
        &self,
        from: Timestamp,
        until: Timestamp,
        days: u32,
        limit: usize,
    ) -> Result<Vec<Expiring>, Error> {
        self.all(EXPIRING, (from, until, days, saturated(limit)), |row| {
            Ok(Expiring {
                request: row.get("request")?,
                tenant: row.get("tenant")?,
                not_after: row.get("not_after")?,
                sha256: row.get("sha256")?,
            })
        })
    }

    fn place_of(&self, tenant: TenantId, request: Handle) -> Result<Option<Place>, Error> {
        self.optional(
            "SELECT not_after, request FROM certificates WHERE request = ?1 AND tenant = ?2",
            (request, tenant),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    fn places(
        &self,
        filter: &CertificateFilter,
        retired: bool,
        names: &NameSearch,
        after: Place,
        limit: usize,
    ) -> Result<Vec<Place>, Error> {
        let until = filter.expires_before.unwrap_or(Timestamp::from_millis(i64::MAX));
        let from = filter.expires_after.unwrap_or(Timestamp::from_millis(i64::MIN));
        let limit = saturated(limit);
        let mut values: Vec<(&str, &dyn ToSql)> = vec![
            (":tenant", &filter.tenant),
            (":retired", &retired),
            (":from", &from),
            (":until", &until),
            (":after", &after.0),
            (":after_request", &after.1),
            (":limit", &limit),
        ];
        if let NameSearch::Few(range) | NameSearch::Many(range) = names {
            values.extend([(":first", &range.from as &dyn ToSql), (":last", &range.until)]);
        }
        self.all(&sql(names), values.as_slice(), |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

const EXPIRING: &str = "SELECT request, tenant, not_after, sha256 FROM certificates c
                        WHERE retired = 0 AND not_after > ?1 AND not_after <= ?2
                          AND NOT EXISTS (SELECT 1 FROM expiry_notices n
                                          WHERE n.request = c.request AND n.days = ?3)
                        ORDER BY not_after LIMIT ?4";

/// As for signing requests: few names are looked up first, of many each row is asked.
fn sql(names: &NameSearch) -> String {
    let (from, condition) = match names {
        NameSearch::None => ("certificates c", ""),
        NameSearch::Few(_) => (
            "signing_request_names n CROSS JOIN certificates c ON c.request = n.request",
            " AND n.tenant = :tenant AND n.name >= :first AND n.name < :last",
        ),
        NameSearch::Many(_) => (
            "certificates c",
            " AND EXISTS (SELECT 1 FROM signing_request_names n
                          WHERE n.request = c.request AND n.name >= :first AND n.name < :last)",
        ),
    };
    format!(
        "SELECT DISTINCT c.not_after, c.request FROM {from}
         WHERE c.tenant = :tenant AND c.retired = :retired AND c.not_after >= :from AND c.not_after < :until
           AND (c.not_after, c.request) > (:after, :after_request){condition}
         ORDER BY c.not_after, c.request LIMIT :limit"
    )
}

impl Tx {
    /// Remembers that it was told of a certificate that so few days are left.
    pub fn note_expiry_told(&self, request: Handle, days: u32) -> Result<(), Error> {
        self.execute("INSERT INTO expiry_notices (request, days) VALUES (?1, ?2)", (request, days))?;
        Ok(())
    }

    /// Follows a signing request into retirement.
    pub fn retire_certificate(&self, request: Handle) -> Result<(), Error> {
        self.change_row("UPDATE certificates SET retired = 1 WHERE request = ?1", [request], "certificate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, at, handle, request};

    const ROWS: u64 = 300;

    fn end_of(n: u64) -> i64 {
        // Several end at once, and not in the order of their handles.
        i64::try_from(n * 7 % 100).unwrap()
    }

    async fn filled() -> TestStore {
        let store = TestStore::with_principal();
        store
            .write(|tx| {
                for n in 1..=ROWS {
                    let names = [format!("host-{n}.example"), format!("HOST-{n}.example.org")];
                    tx.insert_signing_request(&request(n), &names)?;
                    tx.insert_certificate(&Certificate {
                        request: handle(n),
                        leaf: vec![1],
                        chain: Vec::new(),
                        sha256: [1; 32],
                        not_before: at(0),
                        not_after: at(end_of(n)),
                        married_at: at(0),
                    })?;
                    if n.is_multiple_of(3) {
                        tx.retire_certificate(handle(n))?;
                    }
                }
                Ok(())
            })
            .await
            .unwrap();
        store
    }

    async fn walked(store: &TestStore, filter: &CertificateFilter) -> Vec<Handle> {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let filter = filter.clone();
            let page = store.read(move |view| view.page_of_certificates(&filter, after, 7)).await.unwrap();
            seen.extend(page.items.iter().map(|(request, _)| request.handle));
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    }

    fn expected(keep: impl Fn(u64) -> bool) -> Vec<Handle> {
        let mut kept: Vec<_> = (1..=ROWS).filter(|n| keep(*n)).map(|n| (end_of(n), handle(n))).collect();
        kept.sort_unstable();
        kept.into_iter().map(|(_, handle)| handle).collect()
    }

    #[tokio::test]
    async fn pages_walk_through_what_a_filter_keeps_in_the_order_of_their_ends() {
        let store = filled().await;
        let all = CertificateFilter::of(TenantId::DEFAULT);
        assert_eq!(walked(&store, &all).await, expected(|_| true));
        let retired = CertificateFilter { retired: Some(true), ..all.clone() };
        assert_eq!(walked(&store, &retired).await, expected(|n| n.is_multiple_of(3)));
        let soon = CertificateFilter {
            retired: Some(false),
            expires_after: Some(at(20)),
            expires_before: Some(at(50)),
            ..all.clone()
        };
        let is_soon = |n: u64| !n.is_multiple_of(3) && (20..50).contains(&end_of(n));
        assert_eq!(walked(&store, &soon).await, expected(is_soon));
        let named = CertificateFilter { name_prefix: Some("Host-2".into()), ..soon };
        let is_named = |n: u64| is_soon(n) && n.to_string().starts_with('2');
        assert_eq!(walked(&store, &named).await, expected(is_named));
        assert!(!walked(&store, &named).await.is_empty());
        let other = CertificateFilter::of(TenantId(2));
        assert_eq!(walked(&store, &other).await, []);
    }

    #[tokio::test]
    async fn what_ends_soon_is_found_once_for_each_number_of_days() {
        let store = filled().await;
        let find = |days: u32| {
            let store = &store;
            async move { store.read(move |view| view.expiring(at(40), at(42), days, 100)).await.unwrap() }
        };
        let found = find(7).await;
        let ends: Vec<_> = found.iter().map(|found| found.not_after).collect();
        assert_eq!(ends, [at(41), at(41), at(42), at(42)]);
        let told = found[0].request;
        store.write(move |tx| tx.note_expiry_told(told, 7)).await.unwrap();
        assert_eq!(find(7).await, found[1..]);
        assert_eq!(find(1).await, found);
    }

    #[test]
    fn a_list_is_read_in_the_order_of_an_index() {
        let store = TestStore::new();
        let plan = store.plan(&sql(&NameSearch::None));
        assert_eq!(plan.len(), 1, "{plan:?}");
        assert!(plan[0].contains("COVERING INDEX certificates_by_end (tenant=? AND retired=?"), "{plan:?}");
        let expiring = store.plan(EXPIRING);
        assert!(
            expiring[0].contains("certificates_in_use_by_end (not_after>? AND not_after<?)"),
            "{expiring:?}"
        );
        assert!(!expiring.iter().any(|line| line.contains("TEMP B-TREE")), "{expiring:?}");
    }
}
