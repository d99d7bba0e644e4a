# shellcheck shell=bash
# The vendors' APIs of a quickstart: which tenants they serve, who may use them, and what their clients are told.
# Sourced by scripts/quickstart, whose variables it uses.

# Tenants of the vendors' APIs. A Cloudflare account and a zone are collections of their own.
readonly VENDOR_TENANTS=(cloudflare-account cloudflare-zone keyfactor)
# Identifiers as the vendor's look: 32 hexadecimal digits.
readonly CLOUDFLARE_ACCOUNT=0a000000000000000000000000000001
readonly CLOUDFLARE_ZONE=0b000000000000000000000000000001
# Principals. Cloudflare's clients name theirs by an e-mail address.
readonly CLOUDFLARE_PRINCIPAL=cloudflare@strongroom.example
readonly KEYFACTOR_PRINCIPAL=keyfactor

# What the configuration file says of the vendors' APIs.
vendor_settings() {
    cat <<END

# Cloudflare custom CSRs, under /client/v4: whose requests an account or a zone has.
[facades.cloudflare]
enabled = true
accounts = { "$CLOUDFLARE_ACCOUNT" = "cloudflare-account" }
zones = { "$CLOUDFLARE_ZONE" = "cloudflare-zone" }

# Keyfactor Command CSR generation, under /KeyfactorAPI.
[facades.keyfactor]
enabled = true
tenants = ["keyfactor"]
END
}

# Tenants, principals, grants and credentials, as far as an earlier run has not made them. Secrets are in files
# of mode 0600.
make_vendors() {
    vendors=$data/vendors
    mkdir -p -- "$vendors"
    local tenant
    unless_there "$vendors/admin" principal bootstrap vendors-admin
    for tenant in "${VENDOR_TENANTS[@]}"; do
        unless_listed tenant "$tenant" tenant new "$tenant"
    done
    make_client "$CLOUDFLARE_PRINCIPAL" cloudflare cloudflare-account cloudflare-zone
    make_client "$KEYFACTOR_PRINCIPAL" keyfactor keyfactor
}

# make_client PRINCIPAL NAME TENANT...: may ask for CSRs in these tenants; has an API key and a password.
make_client() {
    local principal=$1 name=$2 tenant
    shift 2
    unless_listed principal "$principal" principal new "$principal" --kind service
    for tenant in "$@"; do
        as_admin principal grant "$principal" requester --in "$tenant" >/dev/null
    done
    unless_there "$vendors/$name.api-key" api-key new "$principal"
    unless_there "$vendors/$name.password" credential new "$principal" --basic
}

# unless_there FILE COMMAND...: writes a secret to a file that is not there yet.
unless_there() {
    local file=$1
    shift
    [[ -e $file ]] || as_admin "$@" --out "$file" >/dev/null
}

# unless_listed NOUN NAME COMMAND...
unless_listed() {
    local noun=$1 name=$2
    shift 2
    [[ $(as_admin "$noun" list --json) == *"\"name\": \"$name\""* ]] || as_admin "$@" >/dev/null
}

# The first call makes the admin, as the user whom the service runs as.
as_admin() {
    local key=()
    [[ ! -e $vendors/admin ]] || key=(--api-key-file "$vendors/admin")
    "$strongroom" "$@" --config "$config" "${key[@]}"
}

# For the file of --env.
vendor_environment() {
    cat <<END
CLOUDFLARE_BASE_URL=http://$listen/client/v4
CLOUDFLARE_API_TOKEN=$(<"$vendors/cloudflare.api-key")
CLOUDFLARE_EMAIL=$CLOUDFLARE_PRINCIPAL
CLOUDFLARE_API_KEY=$(<"$vendors/cloudflare.password")
CLOUDFLARE_ACCOUNT_ID=$CLOUDFLARE_ACCOUNT
CLOUDFLARE_ZONE_ID=$CLOUDFLARE_ZONE
KEYFACTOR_URL=http://$listen/KeyfactorAPI
KEYFACTOR_USER=$KEYFACTOR_PRINCIPAL
KEYFACTOR_PASSWORD=$(<"$vendors/keyfactor.password")
export CLOUDFLARE_BASE_URL CLOUDFLARE_API_TOKEN CLOUDFLARE_EMAIL CLOUDFLARE_API_KEY CLOUDFLARE_ACCOUNT_ID \\
    CLOUDFLARE_ZONE_ID KEYFACTOR_URL KEYFACTOR_USER KEYFACTOR_PASSWORD
END
}

# One call for each vendor. The shell writes the secret to a pipe: curl's own command line has none.
print_vendor_calls() {
    cat <<END

Cloudflare's API, as the vendor's clients call it:

    curl -H @<(echo "Authorization: Bearer \$(<'$vendors/cloudflare.api-key')") -H 'Content-Type: application/json' \\
        http://$listen/client/v4/accounts/$CLOUDFLARE_ACCOUNT/custom_csrs \\
        -d '{"common_name":"www.example.com","country":"NL","state":"Utrecht","locality":"Amersfoort",
             "organization":"Example","sans":["www.example.com"],"key_type":"p256v1"}'

Keyfactor's API:

    curl -K <(echo "user = $KEYFACTOR_PRINCIPAL:\$(<'$vendors/keyfactor.password')") -H 'x-keyfactor-requested-with: APIClient' \\
        -H 'Content-Type: application/json' http://$listen/KeyfactorAPI/CSRGeneration/Generate \\
        -d '{"Subject":"CN=www.example.com,O=Example,C=NL","KeyType":"ECC","KeyLength":256,
             "SANs":{"dns":["www.example.com"]}}'

END
}
