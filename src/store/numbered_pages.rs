//! Pages of signing requests by number of the page, with the total: for surfaces whose clients ask for that. Where a
//! page begins is read from maintained counts, so that the thousandth costs as much as the first.

use rusqlite::{ToSql, params_from_iter};

use crate::domain::access::TenantId;
use crate::domain::algorithm::KeyKind;
use crate::domain::id::Handle;
use crate::domain::signing_request::{SigningRequest, State};

use super::columns::{Json, saturated};
use super::error::Error;
use super::signing_requests::signing_request;
use super::view::View;

/// So many numbers are counted together; as in the migration that counts them.
const BLOCK: u64 = 1024;

/// Which signing requests are on a list with numbered pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedFilter {
    /// Whose they are.
    pub tenant: TenantId,
    /// In one of these states.
    pub states: Vec<State>,
    /// With a key of one of these kinds.
    pub kinds: Vec<KeyKind>,
}

/// The order of a list with numbered pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorting {
    /// By number, which is by time of creation.
    Number,
    /// By the name that a surface's users gave; requests without one first, equal ones by number. A page far from the
    /// first costs a walk through the index up to it.
    Name,
}

/// A page of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberedPage {
    /// What is on the page.
    pub items: Vec<SigningRequest>,
    /// How many there are on all pages.
    pub total: u64,
}

impl View {
    /// At most `limit` signing requests, leaving out the first `offset`. None past the end.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn numbered_page(
        &self,
        filter: &NumberedFilter,
        sorting: Sorting,
        descending: bool,
        offset: u64,
        limit: usize,
    ) -> Result<NumberedPage, Error> {
        let total = self.total(filter)?;
        let end = offset.saturating_add(saturated(limit).unsigned_abs()).min(total);
        if offset >= end {
            return Ok(NumberedPage { items: Vec::new(), total });
        }
        let items = match sorting {
            Sorting::Name => self.page_by_name(filter, descending, offset, limit)?,
            Sorting::Number if offset <= total / 2 => self.page_by_number(filter, descending, offset, end)?,
            // From the other end it is nearer.
            Sorting::Number => {
                let mut items = self.page_by_number(filter, !descending, total - end, total - offset)?;
                items.reverse();
                items
            }
        };
        Ok(NumberedPage { items, total })
    }

    /// The signing request with that number in its tenant.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn signing_request_numbered(
        &self,
        tenant: TenantId,
        number: u32,
    ) -> Result<Option<SigningRequest>, Error> {
        self.optional(BY_NUMBER, (tenant, number), signing_request)
    }

    /// The newest signing request of a tenant.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn newest_signing_request(&self, tenant: TenantId) -> Result<Option<SigningRequest>, Error> {
        self.optional(NEWEST, [tenant], signing_request)
    }

    fn total(&self, filter: &NumberedFilter) -> Result<u64, Error> {
        let mut total = 0;
        for (state, kind) in filter.states_and_kinds() {
            let count = self.optional(TOTAL, (filter.tenant, state, kind), |row| row.get::<_, u32>(0))?;
            total += u64::from(count.unwrap_or_default());
        }
        Ok(total)
    }

    /// Where the matches from `offset` up to but without `end` lie; `None` past the last one. Reads no block behind.
    fn span(
        &self,
        filter: &NumberedFilter,
        descending: bool,
        offset: u64,
        end: u64,
    ) -> Result<Option<Span>, Error> {
        let sql = filter.blocks(descending);
        let mut statement = self.connection().prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(filter.values()))?;
        let (mut span, mut through, mut entered) = (None, 0, None);
        while through < end
            && let Some(row) = rows.next()?
        {
            let (block, count) = (u64::from(row.get::<_, u32>(0)?), u64::from(row.get::<_, u32>(1)?));
            // A block has a row for each state and kind.
            let before = match entered {
                Some((current, before)) if current == block => before,
                _ => through,
            };
            entered = Some((block, before));
            through += count;
            if through > offset {
                span.get_or_insert(Span { first: block, last: block, before }).last = block;
            }
        }
        Ok(span)
    }

    /// The matches from `offset` up to but without `end`.
    fn page_by_number(
        &self,
        filter: &NumberedFilter,
        descending: bool,
        offset: u64,
        end: u64,
    ) -> Result<Vec<SigningRequest>, Error> {
        let Some(Span { first, last, before }) = self.span(filter, descending, offset, end)? else {
            return Ok(Vec::new());
        };
        let (from, until) = (first.min(last) * BLOCK, first.max(last) * BLOCK + BLOCK - 1);
        let (skip, wanted) = (offset - before, end - before);
        let sql = if descending { NUMBERS_DESCENDING } else { NUMBERS_ASCENDING };
        let mut numbers: Vec<u32> = Vec::new();
        // Each state and kind has its numbers in order in the index; the best of all of them are the page.
        for (state, kind) in filter.states_and_kinds() {
            let (from, until, wanted) = (saturated(from), saturated(until), saturated(wanted));
            let values = (filter.tenant, state, kind, from, until, wanted);
            numbers.extend(self.all(sql, values, |row| row.get::<_, u32>(0))?);
        }
        if descending {
            numbers.sort_unstable_by(|a, b| b.cmp(a));
        } else {
            numbers.sort_unstable();
        }
        let [skip, length] = [skip, end - offset].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let numbers: Vec<_> = numbers.into_iter().skip(skip).take(length).collect();
        let mut items = self.all(BY_NUMBERS, (filter.tenant, Json(&numbers)), signing_request)?;
        items.sort_by_key(|request| request.number);
        if descending {
            items.reverse();
        }
        Ok(items)
    }

    fn page_by_name(
        &self,
        filter: &NumberedFilter,
        descending: bool,
        offset: u64,
        limit: usize,
    ) -> Result<Vec<SigningRequest>, Error> {
        let direction = if descending { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT handle FROM signing_requests INDEXED BY signing_requests_by_name
             WHERE tenant = ? AND state IN ({}) AND kind IN ({})
             ORDER BY name {direction}, number {direction} LIMIT ? OFFSET ?",
            marks(filter.states.len()),
            marks(filter.kinds.len())
        );
        let (limit, offset) = (saturated(limit), saturated(offset));
        let mut values = filter.values();
        values.extend([&limit as &dyn ToSql, &offset]);
        let handles: Vec<Handle> = self.all(&sql, params_from_iter(values), |row| row.get(0))?;
        handles.into_iter().filter_map(|handle| self.signing_request(handle).transpose()).collect()
    }
}

/// Where a page lies.
struct Span {
    /// The block with its first match.
    first: u64,
    /// The block with its last one.
    last: u64,
    /// How many matches come before the first block.
    before: u64,
}

impl NumberedFilter {
    fn states_and_kinds(&self) -> impl Iterator<Item = (State, KeyKind)> {
        self.states.iter().flat_map(|state| self.kinds.iter().map(|kind| (*state, *kind)))
    }

    /// The blocks with a match, in the order of the list.
    fn blocks(&self, descending: bool) -> String {
        let (states, kinds) = (marks(self.states.len()), marks(self.kinds.len()));
        let direction = if descending { "DESC" } else { "ASC" };
        format!(
            "SELECT block, n FROM signing_request_blocks
             WHERE tenant = ? AND state IN ({states}) AND kind IN ({kinds}) AND n > 0 ORDER BY block {direction}"
        )
    }

    /// For the marks of a statement that asks for the tenant, the states and the kinds.
    fn values(&self) -> Vec<&dyn ToSql> {
        let mut values: Vec<&dyn ToSql> = vec![&self.tenant];
        values.extend(self.states.iter().map(|state| state as &dyn ToSql));
        values.extend(self.kinds.iter().map(|kind| kind as &dyn ToSql));
        values
    }
}

fn marks(length: usize) -> String {
    vec!["?"; length].join(", ")
}

const BY_NUMBER: &str = "SELECT * FROM signing_requests WHERE tenant = ?1 AND number = ?2";
const BY_NUMBERS: &str =
    "SELECT * FROM signing_requests WHERE tenant = ?1 AND number IN (SELECT value FROM json_each(?2))";
const TOTAL: &str = "SELECT n FROM signing_request_totals WHERE tenant = ?1 AND state = ?2 AND kind = ?3";
const NEWEST: &str = "SELECT * FROM signing_requests WHERE tenant = ?1 ORDER BY number DESC LIMIT 1";
const NUMBERS_ASCENDING: &str = "SELECT number FROM signing_requests
     WHERE tenant = ?1 AND state = ?2 AND kind = ?3 AND number BETWEEN ?4 AND ?5
     ORDER BY number LIMIT ?6";
const NUMBERS_DESCENDING: &str = "SELECT number FROM signing_requests
     WHERE tenant = ?1 AND state = ?2 AND kind = ?3 AND number BETWEEN ?4 AND ?5
     ORDER BY number DESC LIMIT ?6";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{TestStore, request};

    const ROWS: u64 = 3000;

    /// Several states and kinds, in no regular pattern, and numbers that are left out.
    fn mixed(n: u64) -> SigningRequest {
        let kinds: Vec<_> = KeyKind::all().collect();
        let pick = |length: usize, salt: u64| usize::try_from((n * 7919 + salt) % 1009).unwrap() % length;
        let number = u32::try_from(n + n / 10).unwrap();
        SigningRequest { number, state: State::ALL[pick(4, 1) + 3], kind: kinds[pick(3, 5)], ..request(n) }
    }

    fn listed(filter: &NumberedFilter, sorting: Sorting, descending: bool) -> Vec<u32> {
        let mut all: Vec<_> = (1..=ROWS)
            .map(mixed)
            .filter(|request| filter.states.contains(&request.state) && filter.kinds.contains(&request.kind))
            .collect();
        all.sort_by_key(|request| {
            let name = request.submission.as_ref().and_then(|submission| submission.name.clone());
            (if sorting == Sorting::Name { name } else { None }, request.number)
        });
        if descending {
            all.reverse();
        }
        all.iter().map(|request| request.number).collect()
    }

    async fn store() -> TestStore {
        let store = TestStore::with_principal();
        store
            .write(|tx| (1..=ROWS).try_for_each(|n| tx.insert_signing_request(&mixed(n), &[])))
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn every_page_is_the_part_of_the_list_that_its_number_says() {
        let store = store().await;
        let kinds: Vec<_> = KeyKind::all().collect();
        for (states, kinds) in [
            (vec![State::Pending], kinds.clone()),
            (vec![State::Pending, State::Issued], vec![kinds[0], kinds[2]]),
            (vec![State::Quarantined], kinds.clone()),
        ] {
            let filter = NumberedFilter { tenant: TenantId::DEFAULT, states, kinds };
            for sorting in [Sorting::Number, Sorting::Name] {
                for descending in [false, true] {
                    let expected = listed(&filter, sorting, descending);
                    let length = expected.len();
                    for offset in [0, 1, 49, 500, length.saturating_sub(3), length, length + 1000] {
                        let (filter, offset_u64) = (filter.clone(), u64::try_from(offset).unwrap());
                        let page = store
                            .read(move |view| {
                                view.numbered_page(&filter, sorting, descending, offset_u64, 50)
                            })
                            .await
                            .unwrap();
                        assert_eq!(page.total, u64::try_from(length).unwrap());
                        let numbers: Vec<_> = page.items.iter().map(|request| request.number).collect();
                        let slice: Vec<_> = expected.iter().skip(offset).take(50).copied().collect();
                        assert_eq!(numbers, slice, "{sorting:?} {descending} {offset}");
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_change_of_state_moves_a_request_from_one_list_to_another() {
        let store = store().await;
        let of = |state| NumberedFilter {
            tenant: TenantId::DEFAULT,
            states: vec![state],
            kinds: KeyKind::all().collect(),
        };
        let (pending, issued) = (of(State::Pending), of(State::Issued));
        let (before_pending, before_issued) =
            (listed(&pending, Sorting::Number, false), listed(&issued, Sorting::Number, false));
        let moved = mixed((1..=ROWS).find(|n| mixed(*n).state == State::Pending).unwrap());
        let changed = SigningRequest { state: State::Issued, ..moved };
        store.write(move |tx| tx.update_signing_request(&changed)).await.unwrap();
        let total = async |filter: NumberedFilter| {
            let read = store.read(move |view| view.numbered_page(&filter, Sorting::Number, false, 0, 1));
            usize::try_from(read.await.unwrap().total).unwrap()
        };
        assert_eq!(total(pending).await, before_pending.len() - 1);
        assert_eq!(total(issued).await, before_issued.len() + 1);
    }

    #[tokio::test]
    async fn a_number_is_found_in_its_tenant_alone() {
        let store = store().await;
        let (found, elsewhere, newest) = store
            .read(|view| {
                Ok((
                    view.signing_request_numbered(TenantId::DEFAULT, 12)?,
                    view.signing_request_numbered(TenantId(2), 12)?,
                    view.newest_signing_request(TenantId::DEFAULT)?,
                ))
            })
            .await
            .unwrap();
        assert_eq!(found, Some(mixed(11)));
        assert_eq!(elsewhere, None);
        assert_eq!(newest, Some(mixed(ROWS)));
    }

    #[test]
    fn pages_and_ids_are_indexed() {
        let store = TestStore::new();
        for sql in [NUMBERS_ASCENDING, NUMBERS_DESCENDING] {
            let plan = store.plan(sql);
            assert_eq!(plan.len(), 1, "{plan:?}");
            assert!(plan[0].contains("COVERING INDEX signing_requests_by_state_kind_and_number"), "{plan:?}");
        }
        for sql in [BY_NUMBER, NEWEST] {
            let plan = store.plan(sql);
            assert!(plan.len() == 1 && plan[0].contains("signing_requests_by_number"), "{plan:?}");
        }
        let plan = store.plan(BY_NUMBERS);
        assert_eq!(
            plan[0],
            "SEARCH signing_requests USING INDEX signing_requests_by_number (tenant=? AND number=?)"
        );
        let filter = NumberedFilter {
            tenant: TenantId::DEFAULT,
            states: vec![State::Pending, State::Issued],
            kinds: KeyKind::all().take(2).collect(),
        };
        for descending in [false, true] {
            let plan = store.plan(&filter.blocks(descending));
            assert_eq!(plan, ["SEARCH signing_request_blocks USING PRIMARY KEY (tenant=?)"]);
        }
    }
}
