import { anonymous, json, type Resource } from '../table.ts';
import { CAPABILITIES, MAAS_VERSION } from '../version.ts';

export const versionRoutes: readonly Resource[] = [
  {
    paths: ['version/'],
    auth: null,
    anon: {
      name: 'VersionHandler',
      doc: 'What this server speaks.',
      operations: [
        anonymous('GET', null, { title: 'Read version and capabilities' }, async () =>
          json({ capabilities: CAPABILITIES, version: MAAS_VERSION, subversion: '' }),
        ),
      ],
    },
  },
];
