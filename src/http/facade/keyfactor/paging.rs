//! The query of the pending list. Its names differ by release and by client: `PageReturned` in the documentation of
//! v24 and v25, `pageReturned` in that of v10, `sq.pageReturned` in generated clients. All count, in any case.

use axum::http::StatusCode;

use super::error::SORT_FIELD;
use crate::domain::invalid::Invalid;
use crate::http::error::Failure;

/// The vendor's default.
const RETURN_LIMIT: i32 = 50;
/// The vendor has no greatest limit; a page is held in memory here.
const MOST_RETURN_LIMIT: i32 = 10_000;
/// What the list can be sorted by: the default of v10 and that of later releases. Both grow together.
const SORT_FIELDS: [&str; 2] = ["Id", "RequestTime"];

/// Which part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Paging {
    /// How many to leave out.
    pub(super) offset: u64,
    /// How many at most.
    pub(super) limit: usize,
    /// Newest first.
    pub(super) descending: bool,
}

/// The values of a query as they came.
#[derive(Default)]
struct Given<'a> {
    page: Option<&'a str>,
    limit: Option<&'a str>,
    field: Option<&'a str>,
    ascending: Option<&'a str>,
}

impl Paging {
    /// Reads a query; names that it does not know are passed over.
    ///
    /// # Errors
    /// 400 with the parameter that breaks a rule.
    pub(super) fn from_query(pairs: &[(String, String)]) -> Result<Self, Failure> {
        let given = Given::of(pairs)?;
        if let Some(field) = given.field
            && !SORT_FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field))
        {
            let detail = format!("SortField: the list is sorted by {} only", SORT_FIELDS.join(" or "));
            return Err(Failure::new(StatusCode::BAD_REQUEST, SORT_FIELD, detail));
        }
        let page = number("PageReturned", given.page, 1, 1..=i32::MAX)?;
        let limit = number("ReturnLimit", given.limit, RETURN_LIMIT, 1..=MOST_RETURN_LIMIT)?;
        let descending = number("SortAscending", given.ascending, 0, 0..=1)? == 1;
        let offset = u64::from((page - 1).unsigned_abs()) * u64::from(limit.unsigned_abs());
        Ok(Self { offset, limit: usize::try_from(limit).unwrap_or_default(), descending })
    }
}

impl<'a> Given<'a> {
    fn of(pairs: &'a [(String, String)]) -> Result<Self, Invalid> {
        let mut given = Self::default();
        for (name, value) in pairs {
            let name = name.to_ascii_lowercase();
            let (place, documented) = match name.strip_prefix("sq.").unwrap_or(&name) {
                "pagereturned" => (&mut given.page, "PageReturned"),
                "returnlimit" => (&mut given.limit, "ReturnLimit"),
                "sortfield" => (&mut given.field, "SortField"),
                "sortascending" => (&mut given.ascending, "SortAscending"),
                _ => continue,
            };
            let value = Some(value.trim()).filter(|value| !value.is_empty());
            if place.is_some() && value.is_some() && *place != value {
                return Err(Invalid::new(documented, "stands twice with different values"));
            }
            *place = value.or(*place);
        }
        Ok(given)
    }
}

fn number(
    name: &str,
    given: Option<&str>,
    default: i32,
    range: std::ops::RangeInclusive<i32>,
) -> Result<i32, Invalid> {
    let Some(text) = given else { return Ok(default) };
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        Invalid::new(name, format!("must be a whole number from {} to {}", range.start(), range.end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Paging, String> {
        let pairs: Vec<_> = query.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Paging::from_query(&pairs).map_err(|failure| failure.detail().to_owned())
    }

    #[test]
    fn every_spelling_says_the_same() {
        assert_eq!(read(&[]), Ok(Paging { offset: 0, limit: 50, descending: false }));
        let asked = Ok(Paging { offset: 40, limit: 20, descending: true });
        for prefix in ["", "sq.", "SQ."] {
            for [page, limit, field, ascending] in [
                ["PageReturned", "ReturnLimit", "SortField", "SortAscending"],
                ["pageReturned", "returnLimit", "sortField", "sortAscending"],
                ["PAGERETURNED", "returnlimit", "sortfield", "SORTASCENDING"],
            ] {
                let names = [page, limit, field, ascending].map(|name| format!("{prefix}{name}"));
                let query: Vec<_> =
                    names.iter().map(String::as_str).zip(["3", "20", "requesttime", "1"]).collect();
                assert_eq!(read(&query), asked);
            }
        }
        assert_eq!(read(&[("PageReturned", "2"), ("sq.pageReturned", "2"), ("x", "y")]).unwrap().offset, 50);
        assert_eq!(read(&[("PageReturned", "")]).unwrap().offset, 0);
        let last = read(&[("PageReturned", "2147483647"), ("ReturnLimit", "10000")]).unwrap();
        assert_eq!(last.offset, 21_474_836_460_000);
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        for (name, value) in [
            ("PageReturned", "0"),
            ("PageReturned", "-1"),
            ("PageReturned", "2147483648"),
            ("PageReturned", "two"),
            ("ReturnLimit", "0"),
            ("ReturnLimit", "10001"),
            ("SortAscending", "2"),
            ("SortAscending", "true"),
            ("SortField", "Subject"),
        ] {
            let told = read(&[(&format!("sq.{name}"), value)]).unwrap_err();
            assert!(told.starts_with(&format!("{name}: ")), "{told}");
        }
        let told = read(&[("PageReturned", "1"), ("pageReturned", "2")]).unwrap_err();
        assert_eq!(told, "PageReturned: stands twice with different values");
    }
}
