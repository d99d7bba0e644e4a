//! Pages of signing requests, by filter.

use rusqlite::ToSql;

use crate::domain::access::TenantId;
use crate::domain::algorithm::KeyKind;
use crate::domain::id::Handle;
use crate::domain::signing_request::{SigningRequest, State};

use super::columns::saturated;
use super::error::Error;
use super::page::{Order, Page};
use super::view::{Tx, View};

/// Which signing requests are on a list. [`RequestFilter::of`]: all of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFilter {
    /// Whose they are.
    pub tenant: TenantId,
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// With a key of this kind.
    pub kind: Option<KeyKind>,
    /// With a common name or SAN value that begins with this text, in upper or lower case.
    pub name_prefix: Option<String>,
}

impl RequestFilter {
    /// All of a tenant.
    pub fn of(tenant: TenantId) -> Self {
        Self { tenant, states: Vec::new(), kind: None, name_prefix: None }
    }
}

/// Names are indexed by text, lists are ordered by time: one of the two has to give way. Up to this
/// many matches are all looked up and sorted for every page, which takes a few milliseconds. With
/// more of them the list is walked in its order, asking of each row whether a name of it matches:
/// the more matches there are, the sooner a page is full. The slowest search is thus a prefix
/// just over this limit whose matches are all at the far end of a long list.
const FEW_NAMES: usize = 1000;

impl View {
    /// A page of at most `limit` signing requests, from `after` on: the `next` of the page before.
    pub fn page_of_signing_requests(
        &self,
        filter: &RequestFilter,
        order: Order,
        after: Option<Handle>,
        limit: usize,
    ) -> Result<Page<SigningRequest>, Error> {
        let after = after.unwrap_or(order.before_first());
        let names = self.name_search(filter.tenant, filter.name_prefix.as_deref())?;
        let mut states: Vec<_> = filter.states.iter().copied().map(Some).collect();
        if states.is_empty() {
            states.push(None);
        }
        // Each state's handles come from an index in the order of the list; the best of all of them
        // are the page. One query over several states would have to sort every row in them.
        let mut handles = Vec::new();
        for state in states {
            let walk = Walk { tenant: filter.tenant, state, kind: filter.kind, names: &names, order };
            handles.extend(self.handles(&walk, after, limit.saturating_add(1))?);
        }
        match order {
            Order::NewestFirst => handles.sort_unstable_by(|a, b| b.cmp(a)),
            Order::OldestFirst => handles.sort_unstable(),
        }
        // A state that was named twice was walked twice.
        handles.dedup();
        let page = Page::cut(handles, limit, |handle| *handle);
        let items = page.items.into_iter().filter_map(|handle| self.signing_request(handle).transpose());
        Ok(Page { items: items.collect::<Result<_, _>>()?, next: page.next })
    }

    /// How names with a prefix are looked for.
    pub(super) fn name_search(&self, tenant: TenantId, prefix: Option<&str>) -> Result<NameSearch, Error> {
        let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) else {
            return Ok(NameSearch::None);
        };
        let range = NameRange::of(prefix);
        let matches =
            self.all(COUNT_NAMES, (tenant, &range.from, &range.until, saturated(FEW_NAMES + 1)), |_| Ok(()))?;
        Ok(if matches.len() <= FEW_NAMES { NameSearch::Few(range) } else { NameSearch::Many(range) })
    }

    fn handles(&self, walk: &Walk<'_>, after: Handle, limit: usize) -> Result<Vec<Handle>, Error> {
        let limit = saturated(limit);
        let mut values: Vec<(&str, &dyn ToSql)> =
            vec![(":tenant", &walk.tenant), (":after", &after), (":limit", &limit)];
        if let Some(state) = &walk.state {
            values.push((":state", state));
        }
        if let Some(kind) = &walk.kind {
            values.push((":kind", kind));
        }
        if let NameSearch::Few(range) | NameSearch::Many(range) = walk.names {
            values.extend([(":from", &range.from as &dyn ToSql), (":until", &range.until)]);
        }
        self.all(&walk.sql(), values.as_slice(), |row| row.get("handle"))
    }
}

impl Tx {
    /// Lets a signing request be found by a name.
    pub(super) fn insert_request_name(
        &self,
        tenant: TenantId,
        request: Handle,
        name: &str,
    ) -> Result<(), Error> {
        self.execute(
            // The common name is usually one of the SANs as well.
            "INSERT INTO signing_request_names (tenant, name, request) VALUES (?1, ?2, ?3)
             ON CONFLICT DO NOTHING",
            (tenant, lower_case(name).into_bytes(), request),
        )?;
        Ok(())
    }
}

const COUNT_NAMES: &str =
    "SELECT 1 FROM signing_request_names WHERE tenant = ?1 AND name >= ?2 AND name < ?3 LIMIT ?4";

/// How a prefix is looked for.
pub(super) enum NameSearch {
    None,
    Few(NameRange),
    Many(NameRange),
}

/// The names from `from` up to but without `until`, as lower-case UTF-8.
pub(super) struct NameRange {
    pub from: Vec<u8>,
    pub until: Vec<u8>,
}

impl NameRange {
    /// The names that begin with `prefix`. The byte FF never occurs in UTF-8: with it appended, the
    /// prefix sorts behind every name that begins with it and before all names behind those.
    fn of(prefix: &str) -> Self {
        let from = lower_case(prefix).into_bytes();
        let mut until = from.clone();
        until.push(0xff);
        Self { from, until }
    }
}

/// Character by character, unlike `str::to_lowercase`, which looks at what follows a sigma: a prefix
/// must become a prefix of what the whole becomes.
fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A walk through the handles of signing requests, in order, along one index.
struct Walk<'a> {
    tenant: TenantId,
    state: Option<State>,
    kind: Option<KeyKind>,
    names: &'a NameSearch,
    order: Order,
}

impl Walk<'_> {
    fn sql(&self) -> String {
        let (compare, direction) = match self.order {
            Order::NewestFirst => ("<", "DESC"),
            Order::OldestFirst => (">", "ASC"),
        };
        // CROSS JOIN: SQLite does not reorder it (https://sqlite.org/optoverview.html, section 8.2).
        let (from, name_condition) = match self.names {
            NameSearch::None => ("signing_requests r", ""),
            NameSearch::Few(_) => (
                "signing_request_names n CROSS JOIN signing_requests r ON r.handle = n.request",
                " AND n.tenant = :tenant AND n.name >= :from AND n.name < :until",
            ),
            NameSearch::Many(_) => (
                "signing_requests r",
                " AND EXISTS (SELECT 1 FROM signing_request_names n
                              WHERE n.request = r.handle AND n.name >= :from AND n.name < :until)",
            ),
        };
        let state_condition = if self.state.is_some() { " AND r.state = :state" } else { "" };
        let kind_condition = if self.kind.is_some() { " AND r.kind = :kind" } else { "" };
        format!(
            "SELECT DISTINCT r.handle FROM {from}
             WHERE r.tenant = :tenant AND r.handle {compare} :after{state_condition}{kind_condition}{name_condition}
             ORDER BY r.handle {direction} LIMIT :limit"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, handle, request};

    const ROWS: u64 = 1000;

    /// A mix in which every filter meets something.
    fn mixed(n: u64) -> SigningRequest {
        let nth = |length: usize| usize::try_from(n).unwrap() % length;
        let kinds: Vec<_> = KeyKind::all().collect();
        SigningRequest { state: State::ALL[nth(8)], kind: kinds[nth(5)], ..request(n) }
    }

    fn names(n: u64) -> Vec<String> {
        let mut names = vec![format!("Host-{n}.example"), format!("host-{n}.example")];
        if n.is_multiple_of(10) {
            names.push(format!("tenth-{n}"));
        }
        names
    }

    async fn mixed_store() -> TestStore {
        let store = TestStore::with_principal();
        store
            .write(|tx| (1..=ROWS).try_for_each(|n| tx.insert_signing_request(&mixed(n), &names(n))))
            .await
            .unwrap();
        store
    }

    async fn walked(store: &TestStore, filter: &RequestFilter, order: Order, limit: usize) -> Vec<Handle> {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let filter = filter.clone();
            let page = store
                .read(move |view| view.page_of_signing_requests(&filter, order, after, limit))
                .await
                .unwrap();
            assert!(page.items.len() <= limit);
            seen.extend(page.items.iter().map(|request| request.handle));
            after = page.next;
            if after.is_none() {
                return seen;
            }
        }
    }

    #[tokio::test]
    async fn pages_show_each_signing_request_once_under_every_filter_in_both_orders() {
        let store = mixed_store().await;
        let kind = mixed(1).kind;
        let all = RequestFilter::of(TenantId::DEFAULT);
        let named = |prefix: &str| RequestFilter { name_prefix: Some(prefix.into()), ..all.clone() };
        let some_states = vec![State::Pending, State::Failed, State::Pending];
        let filters = [
            all.clone(),
            RequestFilter { states: vec![State::Pending], ..all.clone() },
            RequestFilter { states: some_states.clone(), ..all.clone() },
            RequestFilter { states: State::ALL.into(), ..all.clone() },
            RequestFilter { kind: Some(kind), ..all.clone() },
            RequestFilter { kind: Some(kind), states: some_states.clone(), ..all.clone() },
            named(""),
            named("HOST-"),
            named("Tenth-1"),
            named("host-77"),
            named("nobody"),
            RequestFilter { kind: Some(kind), states: some_states, ..named("host-1") },
        ];
        for filter in filters {
            let expected: Vec<_> = (1..=ROWS)
                .filter(|n| filter.states.is_empty() || filter.states.contains(&mixed(*n).state))
                .filter(|n| filter.kind.is_none_or(|kind| kind == mixed(*n).kind))
                .filter(|n| {
                    let prefix = filter.name_prefix.as_deref().unwrap_or_default().to_lowercase();
                    names(*n).iter().any(|name| name.to_lowercase().starts_with(&prefix))
                })
                .map(handle)
                .collect();
            assert_eq!(walked(&store, &filter, Order::OldestFirst, 37).await, expected, "{filter:?}");
            let newest_first: Vec<_> = expected.into_iter().rev().collect();
            assert_eq!(walked(&store, &filter, Order::NewestFirst, 100).await, newest_first, "{filter:?}");
        }
    }

    #[tokio::test]
    async fn a_prefix_with_more_matches_than_are_sorted_finds_the_same() {
        let store = mixed_store().await;
        let more = ROWS + 1..=ROWS + 50;
        store
            .write(move |tx| {
                more.into_iter().try_for_each(|n| tx.insert_signing_request(&mixed(n), &names(n)))
            })
            .await
            .unwrap();
        let many = RequestFilter { name_prefix: Some("host".into()), ..RequestFilter::of(TenantId::DEFAULT) };
        let expected: Vec<_> = (1..=ROWS + 50).map(handle).collect();
        assert_eq!(walked(&store, &many, Order::OldestFirst, 100).await, expected);

        let pending = RequestFilter { states: vec![State::Pending], ..many };
        let expected: Vec<_> =
            (1..=ROWS + 50).rev().filter(|n| mixed(*n).state == State::Pending).map(handle).collect();
        assert_eq!(walked(&store, &pending, Order::NewestFirst, 10).await, expected);
    }

    #[tokio::test]
    async fn a_prefix_is_a_text_and_no_pattern() {
        let store = TestStore::with_principal();
        let stored =
            ["a%b", "axb", "a_b", "Ä.example", "ÄÖ", "B", "\u{10ffff}x", "ΟΔΟΣ", "ΟΔΟΣΑ", "*.", "'--"];
        store
            .write(move |tx| {
                (1..)
                    .zip(stored)
                    .try_for_each(|(n, name)| tx.insert_signing_request(&request(n), &[name.to_owned()]))
            })
            .await
            .unwrap();
        let found = [
            ("a%", vec!["a%b"]),
            ("%", vec![]),
            ("a_", vec!["a_b"]),
            ("_", vec![]),
            ("a", vec!["a%b", "axb", "a_b"]),
            ("ä", vec!["Ä.example", "ÄÖ"]),
            ("Ä.", vec!["Ä.example"]),
            ("b", vec!["B"]),
            ("\u{10ffff}", vec!["\u{10ffff}x"]),
            ("οδοΣ", vec!["ΟΔΟΣ", "ΟΔΟΣΑ"]),
            ("*.", vec!["*."]),
            ("'", vec!["'--"]),
            ("\0", vec![]),
        ];
        for (prefix, names) in found {
            let filter =
                RequestFilter { name_prefix: Some(prefix.into()), ..RequestFilter::of(TenantId::DEFAULT) };
            let seen = walked(&store, &filter, Order::OldestFirst, 100).await;
            let expected: Vec<_> =
                (1..).zip(stored).filter(|(_, name)| names.contains(name)).map(|(n, _)| handle(n)).collect();
            assert_eq!(seen, expected, "{prefix:?}");
        }
    }

    fn walk_sql(state: bool, kind: bool, names: &NameSearch, order: Order) -> String {
        let state = state.then_some(State::Pending);
        let kind = kind.then(|| KeyKind::all().next().unwrap());
        Walk { tenant: TenantId::DEFAULT, state, kind, names, order }.sql()
    }

    #[test]
    fn pages_without_a_prefix_walk_one_index_in_its_order() {
        let store = TestStore::new();
        for (order, compare) in [(Order::NewestFirst, '<'), (Order::OldestFirst, '>')] {
            for (state, kind, index) in [
                (false, false, "signing_requests_by_tenant (tenant=? AND "),
                (true, false, "signing_requests_by_state (tenant=? AND state=? AND "),
                (false, true, "signing_requests_by_kind (tenant=? AND kind=? AND "),
                (true, true, "signing_requests_by_state_and_kind (tenant=? AND state=? AND kind=? AND "),
            ] {
                assert_eq!(
                    store.plan(&walk_sql(state, kind, &NameSearch::None, order)),
                    [format!("SEARCH r USING COVERING INDEX {index}handle{compare}?)")]
                );
            }
        }
    }

    #[test]
    fn a_prefix_with_few_matches_is_sorted_and_one_with_many_is_checked_on_the_walk() {
        let store = TestStore::new();
        let names = || NameRange::of("www");
        for (state, kind, index, columns) in [
            (false, false, "signing_requests_by_tenant", ""),
            (true, false, "signing_requests_by_state", "state=? AND "),
            (false, true, "signing_requests_by_kind", "kind=? AND "),
            (true, true, "signing_requests_by_state_and_kind", "state=? AND kind=? AND "),
        ] {
            assert_eq!(
                store.plan(&walk_sql(state, kind, &NameSearch::Few(names()), Order::NewestFirst)),
                [
                    "SEARCH n USING PRIMARY KEY (tenant=? AND name>? AND name<?)".to_owned(),
                    format!("SEARCH r USING COVERING INDEX {index} (tenant=? AND {columns}handle=?)"),
                    "USE TEMP B-TREE FOR DISTINCT".to_owned(),
                ]
            );
            assert_eq!(
                store.plan(&walk_sql(state, kind, &NameSearch::Many(names()), Order::NewestFirst)),
                [
                    format!("SEARCH r USING COVERING INDEX {index} (tenant=? AND {columns}handle<?)"),
                    "SEARCH n EXISTS USING COVERING INDEX signing_request_names_by_request \
                     (request=? AND name>? AND name<?)"
                        .to_owned(),
                ]
            );
        }
        assert_eq!(
            store.plan(COUNT_NAMES),
            ["SEARCH signing_request_names USING PRIMARY KEY (tenant=? AND name>? AND name<?)"]
        );
    }
}
