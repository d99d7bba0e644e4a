//! Certificates beside their keys: written once, however often they are asked for.

use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use sha2::{Digest as _, Sha256};

use super::{Effect, Lane, never_again};
use crate::domain::id::KeyId;
use crate::hsm::error::{Error, Kind};
use crate::hsm::model::{CertificateChange, CertificateObject};
use crate::hsm::protocol::Class;
use crate::hsm::worker::attributes::certificate_template;
use crate::hsm::worker::fault::Remedy;
use crate::hsm::worker::objects::find_certificates;
use crate::hsm::worker::sessions::Failure;

impl Lane {
    /// Looks first what is there: whoever asks again does not know what became of the last time.
    pub(super) fn set_certificate(
        &mut self,
        id: u64,
        key: KeyId,
        wanted: Option<&CertificateObject>,
        obsolete: &[[u8; 32]],
    ) -> Result<CertificateChange, Failure> {
        let mut there = Vec::new();
        for handle in self.session.call_again(id, Class::Other, |session| find_certificates(session, key))? {
            there.push((handle, self.certificate_digest(id, handle)?));
        }
        if there.is_empty() {
            self.confirm_token(id)?;
        }
        let digest = wanted.map(|wanted| <[u8; 32]>::from(Sha256::digest(&wanted.der)));
        let is_wanted = |found: &Option<[u8; 32]>| found.is_some() && *found == digest;
        let kept = there.iter().position(|(_, found)| is_wanted(found));
        let mut change = CertificateChange::default();
        if let Some(wanted) = wanted
            && kept.is_none()
        {
            self.write_certificate(id, key, wanted)?;
            change.written = true;
        }
        for (place, (handle, found)) in there.into_iter().enumerate() {
            let doomed = is_wanted(&found) || found.is_some_and(|found| obsolete.contains(&found));
            if doomed && Some(place) != kept && self.remove_certificate(id, handle)? {
                change.removed += 1;
            }
        }
        Ok(change)
    }

    /// SHA-256 of an object's CKA_VALUE; `None` when the token does not give it.
    pub(super) fn certificate_digest(
        &mut self,
        id: u64,
        handle: ObjectHandle,
    ) -> Result<Option<[u8; 32]>, Failure> {
        let read = self.read_listed(id, handle, &[AttributeType::Value])?;
        Ok(read.into_iter().flatten().find_map(|attribute| match attribute {
            Attribute::Value(value) => Some(Sha256::digest(value).into()),
            _ => None,
        }))
    }

    fn write_certificate(
        &mut self,
        id: u64,
        key: KeyId,
        certificate: &CertificateObject,
    ) -> Result<(), Failure> {
        let template = certificate_template(&self.context.profile, key, certificate);
        self.announce(id);
        let created = self.session.call(id, Class::Other, |session| session.create_object(&template));
        let created = created.map_err(never_again)?;
        self.effect = Effect::Done;
        // SoftHSM 2.6.1 on a full disk answers OK, keeps an object without attributes, and does not
        // accept its handle (measured).
        if self.certificate_digest(id, created)? == Some(Sha256::digest(&certificate.der).into()) {
            return Ok(());
        }
        self.effect = Effect::Announced;
        let message = "the token said that it wrote the certificate and did not keep it; has it room left?";
        Err(Error::new(Kind::Capacity, message).into())
    }

    /// Answers whether it was there.
    fn remove_certificate(&mut self, id: u64, handle: ObjectHandle) -> Result<bool, Failure> {
        if self.effect == Effect::None {
            self.announce(id);
        }
        match self.session.call_again(id, Class::Other, |session| session.destroy_object(handle)) {
            Ok(()) => {
                self.effect = Effect::Done;
                Ok(true)
            }
            Err(failure) if failure.remedy() == Some(Remedy::FindAgain) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
