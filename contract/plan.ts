import * as z from 'zod';

/** Body of POST /api/v1/machines/{id}/deploy/plan; GET takes the same by query. */
export const PlanRequest = z.strictObject({
  /** "custom/x", "debian/bookworm" or "bookworm"; the site's default when left out. */
  image: z.string().max(256).optional(),
});
export type PlanRequest = z.infer<typeof PlanRequest>;

/** What a deployment will do, in order, and what speaks against it. Nothing was touched for it. */
export const DeployPlanView = z.object({
  image: z.string(),
  /** No finding is a refusal. */
  possible: z.boolean(),
  steps: z.array(z.object({ area: z.enum(['power', 'boot', 'disk', 'network', 'system']), text: z.string() })),
  findings: z.array(
    z.object({ severity: z.enum(['refusal', 'warning']), code: z.string(), message: z.string(), fix: z.string() }),
  ),
});
export type DeployPlanView = z.infer<typeof DeployPlanView>;
