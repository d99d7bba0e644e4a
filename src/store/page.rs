//! Pages by cursor: the next page begins behind the last handle of this one, so that the
//! thousandth page costs as much as the first.

use crate::domain::id::Handle;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on the page, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page begins: to be given as `after`. `None` on the last page.
    pub next: Option<Handle>,
}

/// The order of a list by time of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Descending.
    NewestFirst,
    /// Ascending.
    OldestFirst,
}

impl Order {
    /// The position from which a list is read that has no `after`.
    pub(super) fn before_first(self) -> Handle {
        match self {
            Self::NewestFirst => Handle::from_bytes([0xff; 16]),
            Self::OldestFirst => Handle::from_bytes([0; 16]),
        }
    }
}

impl<T> Page<T> {
    /// The page of the first `limit` of `items`, which were read with one more to see if there is more.
    pub(super) fn cut(mut items: Vec<T>, limit: usize, handle: impl Fn(&T) -> Handle) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(handle) } else { None };
        Self { items, next }
    }
}
