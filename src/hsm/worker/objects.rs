//! Finding objects, and remembering where they are: a search costs SoftHSM 10-20 us per object on
//! the token, a remembered handle nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;
use std::sync::{PoisonError, RwLock};

use cryptoki::object::{Attribute, AttributeType, ObjectClass as CkClass, ObjectHandle};
use cryptoki::session::Session;

use crate::domain::id::KeyId;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::{ObjectClass, TokenObject};

/// Handles asked for in one C_FindObjects: a whole token in a few calls.
const FOUND_AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// The handles of a key pair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) private: ObjectHandle,
    pub(super) public: ObjectHandle,
}

/// Where the key pairs are that were found or made. A handle is valid in every session of the
/// process (PKCS#11 v3.0 base specification, section 4.1.1) until the login is lost.
#[derive(Default)]
pub(super) struct Handles {
    pairs: RwLock<HashMap<KeyId, Pair>>,
}

impl Handles {
    pub(super) fn get(&self, id: KeyId) -> Option<Pair> {
        self.pairs.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    pub(super) fn insert(&self, id: KeyId, pair: Pair) {
        self.pairs.write().unwrap_or_else(PoisonError::into_inner).insert(id, pair);
    }

    pub(super) fn extend(&self, pairs: impl Iterator<Item = (KeyId, Pair)>) {
        self.pairs.write().unwrap_or_else(PoisonError::into_inner).extend(pairs);
    }

    pub(super) fn forget(&self, id: KeyId) {
        self.pairs.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    pub(super) fn clear(&self) {
        self.pairs.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The handles of every object.
pub(super) fn find_all(session: &Session) -> cryptoki::error::Result<Vec<ObjectHandle>> {
    session.iter_objects_with_cache_size(&[], FOUND_AT_ONCE)?.collect()
}

/// The handles of every object with that CKA_ID, whatever its class.
pub(super) fn find_id(session: &Session, id: KeyId) -> cryptoki::error::Result<Vec<ObjectHandle>> {
    session.find_objects(&[Attribute::Id(id.as_bytes().to_vec())])
}

/// The handles of the private and of the public keys with that CKA_ID.
pub(super) fn find_keys(
    session: &Session,
    id: KeyId,
) -> cryptoki::error::Result<(Vec<ObjectHandle>, Vec<ObjectHandle>)> {
    let find =
        |class| session.find_objects(&[Attribute::Class(class), Attribute::Id(id.as_bytes().to_vec())]);
    Ok((find(CkClass::PRIVATE_KEY)?, find(CkClass::PUBLIC_KEY)?))
}

/// The handles of the certificates with that CKA_ID.
pub(super) fn find_certificates(session: &Session, id: KeyId) -> cryptoki::error::Result<Vec<ObjectHandle>> {
    session.find_objects(&[Attribute::Class(CkClass::CERTIFICATE), Attribute::Id(id.as_bytes().to_vec())])
}

/// The one pair among the keys found; `None` when nothing was.
///
/// # Errors
/// [`Kind::KeyMissing`] for half a pair, [`Kind::Ambiguous`] for more than one.
pub(super) fn the_pair(
    id: KeyId,
    private: &[ObjectHandle],
    public: &[ObjectHandle],
) -> Result<Option<Pair>, Error> {
    let (kind, problem) = match (private, public) {
        ([], []) => return Ok(None),
        (&[private], &[public]) => return Ok(Some(Pair { private, public })),
        ([] | [_], [] | [_]) => (Kind::KeyMissing, "half a key pair"),
        ([_, ..] | [], _) => (Kind::Ambiguous, "more than one key"),
    };
    let message = format!(
        "the token has {problem} with CKA_ID {id}: {} private and {} public; there must be one of each",
        private.len(),
        public.len()
    );
    Err(Error::new(kind, message))
}

/// The class among an object's attributes.
pub(super) fn class_of(attributes: &[Attribute]) -> ObjectClass {
    let class = attributes.iter().find_map(|attribute| match attribute {
        Attribute::Class(class) => Some(*class),
        _ => None,
    });
    match class {
        Some(CkClass::PRIVATE_KEY) => ObjectClass::Private,
        Some(CkClass::PUBLIC_KEY) => ObjectClass::Public,
        Some(CkClass::CERTIFICATE) => ObjectClass::Certificate,
        Some(other) => ObjectClass::Other(other.to_string()),
        None => ObjectClass::Unknown,
    }
}

/// What an inventory reads of an object.
pub(super) const LISTED: [AttributeType; 3] = [AttributeType::Class, AttributeType::Id, AttributeType::Label];

/// The object with those attributes, as far as there are any.
pub(super) fn listed(attributes: Vec<Attribute>) -> TokenObject {
    let class = class_of(&attributes);
    let (mut id, mut label) = (Vec::new(), Vec::new());
    for attribute in attributes {
        match attribute {
            Attribute::Id(value) => id = value,
            Attribute::Label(value) => label = value,
            // The class.
            _ => {}
        }
    }
    TokenObject { class, id, label, sha256: None }
}

/// The pairs in an inventory: ids with exactly one private and one public key.
pub(super) fn pairs(objects: &[(ObjectHandle, TokenObject)]) -> impl Iterator<Item = (KeyId, Pair)> {
    let mut private = HashMap::new();
    let mut public = HashMap::new();
    for (handle, object) in objects {
        let keys = match object.class {
            ObjectClass::Private => &mut private,
            ObjectClass::Public => &mut public,
            ObjectClass::Certificate | ObjectClass::Other(_) | ObjectClass::Unknown => continue,
        };
        let Some(id) = KeyId::from_slice(&object.id) else { continue };
        match keys.entry(id) {
            Entry::Vacant(entry) => drop(entry.insert(Some(*handle))),
            // A second one: neither is the key.
            Entry::Occupied(mut entry) => drop(entry.insert(None)),
        }
    }
    private.into_iter().filter_map(move |(id, private)| {
        Some((id, Pair { private: private?, public: public.get(&id).copied().flatten()? }))
    })
}
