//! Parameters of lists. Numbers are typed as `number` in the vendor's API, and Python sends `2.0`.

use super::codes;
use super::wire::Problem;
use crate::app::Sorting;

/// Bounds and usual value of `per_page`, from the vendor's reference.
const LEAST: u64 = 5;
const MOST: u64 = 50;
const USUAL: u64 = 20;

/// Which page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) number: u64,
    pub(super) per_page: u64,
    pub(super) sorting: Sorting,
    pub(super) descending: bool,
}

impl Page {
    /// From a query's pairs; unknown ones are passed over.
    ///
    /// # Errors
    /// Every parameter that is wrong.
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        let mut page = Self { number: 1, per_page: USUAL, sorting: Sorting::Number, descending: false };
        let mut wrong = Vec::new();
        for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
            let read = match name.as_str() {
                "page" => whole(value)
                    .filter(|n| *n >= 1)
                    .map(|number| Self { number, ..page })
                    .ok_or("must be a whole number, at least 1"),
                "per_page" => whole(value)
                    .filter(|n| (LEAST..=MOST).contains(n))
                    .map(|per_page| Self { per_page, ..page })
                    .ok_or("must be a whole number, 5 to 50"),
                "order" => match value.as_str() {
                    "name" => Ok(Self { sorting: Sorting::Name, ..page }),
                    // All in a collection are of one account.
                    "created_at" | "account_tag" => Ok(Self { sorting: Sorting::Number, ..page }),
                    _ => Err("must be `name`, `account_tag` or `created_at`"),
                },
                "direction" => match value.as_str() {
                    "asc" => Ok(Self { descending: false, ..page }),
                    "desc" => Ok(Self { descending: true, ..page }),
                    _ => Err("must be `asc` or `desc`"),
                },
                _ => Ok(page),
            };
            match read {
                Ok(read) => page = read,
                Err(reason) => {
                    wrong.push(Problem::at(
                        codes::UNDECODABLE,
                        format!("/{name}"),
                        format!("{name}: {reason}"),
                    ));
                }
            }
        }
        if wrong.is_empty() { Ok(page) } else { Err(wrong) }
    }

    /// How many results come before it.
    pub(super) fn offset(&self) -> u64 {
        (self.number - 1).saturating_mul(self.per_page)
    }
}

/// A whole number, however it is written: `2`, `2.0`, `2e0`.
fn whole(text: &str) -> Option<u64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not negative; one beyond the range saturates, far behind the last page"
    )]
    (number.fract() == 0.0 && number >= 0.0).then_some(number as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &[(&str, &str)]) -> Result<Page, Vec<Problem>> {
        Page::read(
            &query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn numbers_are_read_as_the_clients_write_them() {
        for (text, expected) in [("2", 2), ("2.0", 2), ("2e0", 2), ("+2", 2), ("1e300", u64::MAX)] {
            assert_eq!(read(&[("page", text)]).unwrap().number, expected, "{text}");
        }
        assert_eq!(read(&[("page", ""), ("per_page", "50.0"), ("x", "y")]).unwrap().per_page, 50);
        assert_eq!(read(&[("page", "1e300"), ("per_page", "50")]).unwrap().offset(), u64::MAX);
        for wrong in ["0", "-1", "1.5", "x", "NaN", "inf", "0x2", "2,0"] {
            let problems = read(&[("page", wrong)]).unwrap_err();
            assert_eq!(problems[0].source.as_ref().unwrap().pointer, "/page", "{wrong}");
        }
        for wrong in ["4", "51", "4.99", "0"] {
            assert!(read(&[("per_page", wrong)]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_wrong_parameter_is_told() {
        let wrong =
            read(&[("page", "0"), ("per_page", "1"), ("order", "csr"), ("direction", "up")]).unwrap_err();
        assert_eq!(wrong.len(), 4);
        assert!(wrong.iter().all(|problem| problem.code == 1400));
    }

    #[test]
    fn a_list_goes_up_by_time_unless_asked_otherwise() {
        let usual = read(&[]).unwrap();
        assert_eq!(usual, Page { number: 1, per_page: 20, sorting: Sorting::Number, descending: false });
        let asked = read(&[("order", "name"), ("direction", "desc")]).unwrap();
        assert_eq!((asked.sorting, asked.descending), (Sorting::Name, true));
    }
}
