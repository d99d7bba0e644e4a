//! What the configuration says of applications, zones and their issuing templates; ids follow from names.

use serde::{Deserialize, Serialize};

use super::{Application, Settings, Zone};
use crate::domain::id::{InstallationId, NamedId};
use crate::domain::signing_request::{SigningRequest, Submission};

/// Names this surface in what is kept.
const SURFACE: &str = "venafi";

/// What there is to ask for.
pub(super) struct Catalogue {
    installation: InstallationId,
    settings: Settings,
}

/// Where a request was made, as kept with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// In the application of that name.
    Application(String),
    /// In the zone with that tag.
    Zone(String),
}

impl Place {
    /// As the index keeps it.
    pub(super) fn submission(&self) -> Submission {
        let document = serde_json::json!(self).to_string();
        Submission { surface: SURFACE.to_owned(), name: None, document }
    }

    fn of(request: &SigningRequest) -> Option<Self> {
        let submission = request.submission.as_ref().filter(|submission| submission.surface == SURFACE)?;
        serde_json::from_str(&submission.document).ok()
    }
}

/// The places of a request in the words of both generations; at least one of them is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    /// Its application.
    pub(super) application: Option<&'a Application>,
    /// Its zone.
    pub(super) zone: Option<&'a Zone>,
    /// The name of its issuing template.
    pub(super) template: &'a str,
}

impl Catalogue {
    pub(super) fn new(installation: InstallationId, settings: Settings) -> Self {
        Self { installation, settings }
    }

    /// The names of the tenants that are served.
    pub(super) fn tenants(&self) -> Vec<String> {
        let applications = self.settings.applications.iter().map(|application| &application.tenant);
        let mut all: Vec<_> =
            applications.chain(self.settings.zones.iter().map(|zone| &zone.tenant)).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The id of a company, as which a tenant is shown.
    pub(super) fn company_id(&self, tenant: &str) -> String {
        self.id(&["company", tenant])
    }

    /// The id of an application.
    pub(super) fn application_id(&self, application: &Application) -> String {
        self.id(&["application", &application.tenant, &application.name])
    }

    /// The id of a zone.
    pub(super) fn zone_id(&self, zone: &Zone) -> String {
        self.id(&["zone", &zone.tenant, &zone.tag])
    }

    /// The id of an issuing template.
    pub(super) fn template_id(&self, tenant: &str, template: &str) -> String {
        self.id(&["template", tenant, template])
    }

    /// The id of the account at an authority; none: certificates come from elsewhere.
    pub(super) fn account_id(&self, tenant: &str, authority: Option<&str>) -> String {
        self.id(&["account", tenant, authority.unwrap_or_default()])
    }

    /// The id of what an account offers.
    pub(super) fn product_id(&self, tenant: &str, authority: Option<&str>) -> String {
        self.id(&["product", tenant, authority.unwrap_or_default()])
    }

    /// The application of that id or name.
    pub(super) fn application(&self, tenant: &str, reference: &str) -> Option<&Application> {
        let mut own = self.applications(tenant);
        own.find(|application| {
            application.name == reference || self.application_id(application).eq_ignore_ascii_case(reference)
        })
    }

    /// The zone of that id or tag.
    pub(super) fn zone(&self, tenant: &str, reference: &str) -> Option<&Zone> {
        let mut own = self.zones(tenant);
        own.find(|zone| zone.tag == reference || self.zone_id(zone).eq_ignore_ascii_case(reference))
    }

    /// The name of the issuing template with that id.
    pub(super) fn template<'a>(&'a self, tenant: &'a str, id: &str) -> Option<&'a str> {
        let mut names = self.templates(tenant);
        names.find(|name| self.template_id(tenant, name).eq_ignore_ascii_case(id))
    }

    /// The names of a tenant's issuing templates, some of them more than once.
    pub(super) fn templates<'a>(&'a self, tenant: &'a str) -> impl Iterator<Item = &'a str> {
        let of_applications =
            self.applications(tenant).flat_map(|application| application.templates.values());
        of_applications.chain(self.zones(tenant).map(|zone| &zone.template)).map(String::as_str)
    }

    /// Where a request is; `None` when it was made elsewhere under a template that is not offered here.
    pub(super) fn places<'a>(&'a self, tenant: &str, request: &'a SigningRequest) -> Option<Places<'a>> {
        let template = request.template.as_ref()?.name.as_str();
        let kept = Place::of(request);
        let application = match &kept {
            Some(Place::Application(name)) => self.application(tenant, name),
            _ => None,
        };
        let application = application.or_else(|| {
            self.applications(tenant)
                .find(|application| application.templates.values().any(|name| name == template))
        });
        let zone = match &kept {
            Some(Place::Zone(tag)) => self.zone(tenant, tag),
            _ => None,
        };
        let zone = zone.or_else(|| self.zones(tenant).find(|zone| zone.template == template));
        (application.is_some() || zone.is_some()).then_some(Places { application, zone, template })
    }

    fn applications(&self, tenant: &str) -> impl Iterator<Item = &Application> {
        self.settings.applications.iter().filter(move |application| application.tenant == tenant)
    }

    fn zones(&self, tenant: &str) -> impl Iterator<Item = &Zone> {
        self.settings.zones.iter().filter(move |zone| zone.tenant == tenant)
    }

    fn id(&self, path: &[&str]) -> String {
        let mut whole = vec![SURFACE];
        whole.extend(path);
        NamedId::new(self.installation, &whole).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue() -> Catalogue {
        let application = |tenant: &str| Application {
            name: "Shop".to_owned(),
            tenant: tenant.to_owned(),
            templates: [("Default".to_owned(), "web".to_owned())].into(),
        };
        let zone = Zone { tag: "web".to_owned(), tenant: "lab".to_owned(), template: "site".to_owned() };
        let applications = vec![application("lab"), application("other")];
        Catalogue::new(InstallationId([1; 4]), Settings { applications, zones: vec![zone] })
    }

    #[test]
    fn a_place_is_found_by_name_and_id_in_its_tenant_only() {
        let catalogue = catalogue();
        assert_eq!(catalogue.tenants(), ["lab", "other"]);
        let of_lab = catalogue.application("lab", "Shop").unwrap();
        let id = catalogue.application_id(of_lab);
        assert_eq!(catalogue.application("lab", &id.to_uppercase()).unwrap().tenant, "lab");
        assert!(catalogue.application("other", &id).is_none());
        let zone = catalogue.zone_id(catalogue.zone("lab", "web").unwrap());
        assert!(catalogue.zone("lab", &zone).is_some() && catalogue.zone("other", "web").is_none());
        assert_eq!(catalogue.templates("lab").collect::<Vec<_>>(), ["web", "site"]);
        let template = catalogue.template_id("lab", "site");
        assert_eq!(catalogue.template("lab", &template), Some("site"));
        assert!(catalogue.template("other", &template).is_none());
    }
}
