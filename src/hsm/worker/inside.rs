//! Which calls are inside the module, and since when.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::hsm::protocol::{Class, Inside};

/// The calls inside the module: at most one per lane.
#[derive(Default)]
pub(super) struct InsideModule {
    stays: Mutex<Vec<(u64, Class, Instant)>>,
}

impl InsideModule {
    /// Notes that the module is entered for a call; it is left when the answer is dropped.
    pub(super) fn enter(&self, id: u64, class: Class) -> Stay<'_> {
        let mut stays = self.stays.lock().unwrap_or_else(PoisonError::into_inner);
        stays.push((id, class, Instant::now()));
        Stay { inside: self, id }
    }

    /// The calls inside at this moment.
    pub(super) fn now(&self) -> Vec<Inside> {
        let stays = self.stays.lock().unwrap_or_else(PoisonError::into_inner);
        stays.iter().map(|&(id, class, since)| Inside { id, class, elapsed: since.elapsed() }).collect()
    }
}

/// A stay inside the module.
pub(super) struct Stay<'a> {
    inside: &'a InsideModule,
    id: u64,
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        let mut stays = self.inside.stays.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = stays.iter().position(|(id, ..)| *id == self.id) {
            stays.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_inside_from_entry_to_exit() {
        let inside = InsideModule::default();
        let sign = inside.enter(1, Class::Sign);
        let generate = inside.enter(2, Class::GenerateRsa);
        drop(sign);
        let now = inside.now();
        assert_eq!(
            now.iter().map(|call| (call.id, call.class)).collect::<Vec<_>>(),
            [(2, Class::GenerateRsa)]
        );
        drop(generate);
        assert!(inside.now().is_empty());
    }
}
