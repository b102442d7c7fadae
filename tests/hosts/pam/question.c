/* A PAM module that asks a second question, as those for one-time passwords do. Says something
 * first, because they do that, too. The answer is 123456. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdlib.h>
#include <string.h>

int pam_sm_authenticate(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    char *answer = NULL;
    int result;

    (void)flags;
    (void)argc;
    (void)argv;
    pam_info(pam, "A second step is needed.");
    result = pam_prompt(pam, PAM_PROMPT_ECHO_ON, &answer, "Verification code: ");
    if (result == PAM_SUCCESS && (!answer || strcmp(answer, "123456") != 0))
        result = PAM_AUTH_ERR;
    free(answer);
    return result;
}

int pam_sm_setcred(pam_handle_t *pam, int flags, int argc, const char **argv)
{
    (void)pam;
    (void)flags;
    (void)argc;
    (void)argv;
    return PAM_SUCCESS;
}
