//! The place of a signing request among those of its tenant.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::app::{App, Error, system};
use crate::domain::access::TenantId;
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::domain::signing_request::SigningRequest;

/// The last place that was given away, by tenant. A number whose request was never recorded stays unused.
#[derive(Default)]
pub(in crate::app) struct Places(Mutex<HashMap<TenantId, Place>>);

/// Number, time and handle, which go up together: a list is in the same order by any of them.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) number: u32,
    pub(super) created_at: Timestamp,
    pub(super) handle: Handle,
}

impl App {
    /// The next place among the signing requests of a tenant.
    pub(super) async fn next_place(&self, tenant: TenantId) -> Result<Place, Error> {
        let random = system::random()?;
        if let Some(place) = self.0.places.next(tenant, self.now(), random) {
            return place;
        }
        let newest: Result<Option<SigningRequest>, Error> =
            self.0.store.read(move |view| Ok(view.newest_signing_request(tenant)?)).await;
        self.0.places.know(tenant, newest?);
        let place = self.0.places.next(tenant, self.now(), random);
        place.unwrap_or_else(|| Err(Error::bug("the last place of a tenant was read and is not known")))
    }
}

impl Places {
    /// `None` while the last one is not known.
    fn next(&self, tenant: TenantId, now: Timestamp, random: [u8; 10]) -> Option<Result<Place, Error>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = places.get_mut(&tenant)?;
        // Surfaces show it as an int32.
        let Some(number) = last.number.checked_add(1).filter(|number| i32::try_from(*number).is_ok()) else {
            return Some(Err(Error::bug("this tenant has had 2,147,483,647 signing requests; use another")));
        };
        // A clock that is set back must not turn the order round.
        let created_at = now.max(last.created_at);
        *last = Place { number, created_at, handle: Handle::new(created_at, random) };
        Some(Ok(*last))
    }

    fn know(&self, tenant: TenantId, newest: Option<SigningRequest>) {
        let newest = newest.map_or(
            Place { number: 0, created_at: Timestamp::from_millis(0), handle: Handle::from_bytes([0; 16]) },
            |request| Place {
                number: request.number,
                created_at: request.created_at,
                handle: request.handle,
            },
        );
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(tenant).or_insert(newest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_up_even_when_the_clock_is_set_back() {
        let places = Places::default();
        let at = Timestamp::from_millis;
        assert!(places.next(TenantId(1), at(5), [0; 10]).is_none());
        places.know(TenantId(1), None);
        let next = |now| places.next(TenantId(1), at(now), [0; 10]).unwrap().unwrap();
        let (first, second, third) = (next(50), next(40), next(60));
        assert_eq!([first.number, second.number, third.number], [1, 2, 3]);
        assert_eq!([first.created_at, second.created_at, third.created_at], [at(50), at(50), at(60)]);
        assert!(first.handle <= second.handle && second.handle < third.handle);
    }

    #[test]
    fn a_last_place_that_is_known_is_not_forgotten() {
        let places = Places::default();
        places.know(TenantId(1), None);
        places.next(TenantId(1), Timestamp::from_millis(1), [0; 10]).unwrap().unwrap();
        places.know(TenantId(1), None);
        let next = places.next(TenantId(1), Timestamp::from_millis(1), [0; 10]).unwrap().unwrap();
        assert_eq!(next.number, 2);
    }
}
