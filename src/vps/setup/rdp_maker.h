/*
 * rdp_maker: --make-rdp-certificate: a certificate of this server's own by which .rdp files are
 * signed, for PCs that somebody manages: known to nobody before it is put there, and valid for
 * ten years, since it is put there once.
 */
#ifndef PAMTUNNEL_VPS_SETUP_RDP_MAKER_H
#define PAMTUNNEL_VPS_SETUP_RDP_MAKER_H

struct rdp_maker_options {
    const char *env_file; /* where VPS_HOST stands; may be NULL */
    const char *host;     /* NULL: VPS_HOST */
    const char *folder;   /* for rdp-sign.crt and rdp-sign.key */
};

/*
 * Writes both, and what to do with them to standard output. Files that are there stay as they are:
 * then it fails. Returns the exit status.
 */
int rdp_maker_run(const struct rdp_maker_options *options);

#endif
