//! What is known of credentials, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::{Identity, Presented};
use crate::domain::access::{CredentialKind, Grants, TenantId, secret};
use crate::domain::clock::Timestamp;
use crate::domain::id::Handle;
use crate::store::{self, Credential, View};

/// Everything by which a request is told whose it is, at one version. The default knows nobody.
#[derive(Default)]
pub(super) struct Known {
    version: Option<u64>,
    tenants: HashMap<String, TenantId>,
    /// Of enabled principals.
    holders: HashMap<Handle, Holder>,
    /// By the beginning of what they are recognised by. That is a hash of 256 random bits, or public:
    /// the time of the look-up tells nothing of a secret.
    credentials: HashMap<[u8; 4], Vec<Credential>>,
    /// Where in `credentials` one is.
    places: HashMap<Handle, [u8; 4]>,
}

struct Holder {
    name: String,
    grants: Arc<Grants>,
}

impl Known {
    pub(super) fn read(view: &View, version: u64) -> Result<Self, store::Error> {
        let mut grants: HashMap<Handle, Grants> = HashMap::new();
        for (principal, grant) in view.grants()? {
            grants.entry(principal).or_default().0.push(grant);
        }
        let enabled = view.principals()?.into_iter().filter(|principal| principal.disabled_at.is_none());
        let holders = enabled.map(|principal| {
            let grants = Arc::new(grants.remove(&principal.handle).unwrap_or_default());
            (principal.handle, Holder { name: principal.name, grants })
        });
        let mut known = Self {
            version: Some(version),
            tenants: view.tenants()?.into_iter().map(|tenant| (tenant.name, tenant.id)).collect(),
            holders: holders.collect(),
            ..Self::default()
        };
        for credential in view.unrevoked_credentials()? {
            known.enter(credential);
        }
        Ok(known)
    }

    fn enter(&mut self, credential: Credential) {
        let place = beginning(&credential.verifier);
        self.places.insert(credential.handle, place);
        self.credentials.entry(place).or_default().push(credential);
    }

    pub(super) fn is_as_of(&self, version: u64) -> bool {
        self.version.is_some_and(|own| own >= version)
    }

    pub(super) fn tenant(&self, name: &str) -> Option<TenantId> {
        self.tenants.get(name).copied()
    }

    pub(super) fn identify(&self, presented: Presented<'_>, now: Timestamp) -> Option<Identity> {
        let (kind, verifier) = match presented {
            Presented::Bearer(secret) => (CredentialKind::ApiKey, secret::verifier(secret).to_vec()),
            Presented::Basic(_, secret) | Presented::Client(_, secret) => {
                (CredentialKind::Basic, secret::verifier(secret).to_vec())
            }
            Presented::Granted(credential) => return self.granted(credential, now),
            Presented::ClientCertificate(sha256) => (CredentialKind::ClientCertificate, sha256.to_vec()),
            Presented::Uid(uid) => (CredentialKind::Uid, uid.to_be_bytes().to_vec()),
        };
        let alike = self.credentials.get(&beginning(&verifier))?;
        let credential = alike
            .iter()
            .find(|known| known.kind == kind && bool::from(known.verifier.as_slice().ct_eq(&verifier)))?;
        let holder = self.holder(credential, now)?;
        let is_meant = match presented {
            Presented::Basic(user, _) => user == holder.name,
            Presented::Client(id, _) => {
                id == holder.name || id.parse::<Handle>().is_ok_and(|handle| handle == credential.handle)
            }
            _ => true,
        };
        is_meant.then(|| identity(credential, holder))
    }

    fn granted(&self, credential: Handle, now: Timestamp) -> Option<Identity> {
        let alike = self.credentials.get(self.places.get(&credential)?)?;
        let is_meant =
            |known: &&Credential| known.kind == CredentialKind::Basic && known.handle == credential;
        let credential = alike.iter().find(is_meant)?;
        Some(identity(credential, self.holder(credential, now)?))
    }

    /// Whose a credential is; nobody's when it has expired, or its principal is disabled.
    fn holder(&self, credential: &Credential, now: Timestamp) -> Option<&Holder> {
        let is_in_force = credential.expires_at.is_none_or(|at| at > now);
        self.holders.get(&credential.principal).filter(|_| is_in_force)
    }
}

fn identity(credential: &Credential, holder: &Holder) -> Identity {
    Identity {
        principal: credential.principal,
        credential: credential.handle,
        grants: Arc::clone(&holder.grants),
    }
}

fn beginning(verifier: &[u8]) -> [u8; 4] {
    let mut beginning = [0; 4];
    for (place, byte) in beginning.iter_mut().zip(verifier) {
        *place = *byte;
    }
    beginning
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(10);

    fn handle(n: u8) -> Handle {
        Handle::new(Timestamp::from_millis(1), [n; 10])
    }

    fn credential(n: u8, kind: CredentialKind, verifier: Vec<u8>) -> Credential {
        Credential {
            handle: handle(n),
            principal: handle(100),
            kind,
            verifier,
            hint: None,
            from_file: false,
            created_at: Timestamp::from_millis(1),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        }
    }

    fn known(credentials: Vec<Credential>) -> Known {
        let mut known = Known::default();
        let holder = Holder { name: "alice".into(), grants: Arc::default() };
        known.holders.insert(handle(100), holder);
        for credential in credentials {
            known.enter(credential);
        }
        known
    }

    fn whose(known: &Known, presented: Presented<'_>) -> Option<Handle> {
        known.identify(presented, NOW).map(|identity| identity.credential)
    }

    #[test]
    fn each_kind_is_recognised_by_its_own() {
        let secret = |text: &str| secret::verifier(text).to_vec();
        let known = known(vec![
            credential(1, CredentialKind::ApiKey, secret("srk_right")),
            credential(2, CredentialKind::Basic, secret("srb_right")),
            credential(3, CredentialKind::ClientCertificate, vec![7; 32]),
            credential(4, CredentialKind::Uid, 1000_u32.to_be_bytes().to_vec()),
        ]);
        for (presented, expected) in [
            (Presented::Bearer("srk_right"), Some(handle(1))),
            (Presented::Bearer("srk_wrong"), None),
            (Presented::Bearer(""), None),
            (Presented::Bearer("srb_right"), None),
            (Presented::Basic("alice", "srb_right"), Some(handle(2))),
            (Presented::Basic("bob", "srb_right"), None),
            (Presented::Basic("alice", "srk_right"), None),
            (Presented::Client("alice", "srb_right"), Some(handle(2))),
            (Presented::Client(&handle(2).to_string(), "srb_right"), Some(handle(2))),
            (Presented::Client(&handle(1).to_string(), "srb_right"), None),
            (Presented::Basic(&handle(2).to_string(), "srb_right"), None),
            (Presented::Client("alice", "srb_wrong"), None),
            (Presented::Granted(handle(2)), Some(handle(2))),
            (Presented::Granted(handle(1)), None),
            (Presented::Granted(handle(9)), None),
            (Presented::ClientCertificate(&[7; 32]), Some(handle(3))),
            (Presented::ClientCertificate(&[8; 32]), None),
            (Presented::Uid(1000), Some(handle(4))),
            (Presented::Uid(0), None),
        ] {
            assert_eq!(whose(&known, presented), expected);
        }
    }

    #[test]
    fn secrets_with_the_same_beginning_are_told_apart() {
        let mut twin = secret::verifier("srk_right");
        twin[31] ^= 1;
        let known = known(vec![
            credential(1, CredentialKind::ApiKey, twin.to_vec()),
            credential(2, CredentialKind::ApiKey, secret::verifier("srk_right").to_vec()),
        ]);
        assert_eq!(whose(&known, Presented::Bearer("srk_right")), Some(handle(2)));
    }

    #[test]
    fn an_expired_credential_and_one_of_a_disabled_principal_have_no_owner() {
        let key = credential(1, CredentialKind::ApiKey, secret::verifier("srk_right").to_vec());
        let expiring = |at| Credential { expires_at: Some(Timestamp::from_millis(at)), ..key.clone() };
        let right = Presented::Bearer("srk_right");
        assert_eq!(whose(&known(vec![expiring(11)]), right), Some(handle(1)));
        assert_eq!(whose(&known(vec![expiring(10)]), right), None);
        let basic = Credential { kind: CredentialKind::Basic, ..expiring(11) };
        let granted = Presented::Granted(handle(1));
        assert_eq!(whose(&known(vec![basic.clone()]), granted), Some(handle(1)));
        assert_eq!(whose(&known(vec![Credential { expires_at: Some(NOW), ..basic }]), granted), None);
        let mut disabled = known(vec![key]);
        disabled.holders.clear();
        assert_eq!(whose(&disabled, right), None);
    }
}
